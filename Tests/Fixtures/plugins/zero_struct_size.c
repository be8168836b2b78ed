#define NAME "zero_struct_size"
#define STRUCT_SIZE 0
#include "fixture.h"
