// Counts heap allocations of the calling thread, by standing in for malloc in the test executable.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H
#include <stdint.h>
/// Allocations (malloc, calloc, realloc, aligned) that this thread has made so far. Always 0 under a sanitizer.
uint64_t allocation_count(void);
#endif
