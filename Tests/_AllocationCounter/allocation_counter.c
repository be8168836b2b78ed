#include "allocation_counter.h"

#include <errno.h>
#include <stddef.h>

static _Thread_local uint64_t count;
uint64_t allocation_count(void) { return count; }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__GLIBC__) && !defined(SANITIZED)
// glibc's own names for what is replaced here.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t bytes) {
  count++;
  return __libc_malloc(bytes);
}
void *calloc(size_t n, size_t bytes) {
  count++;
  return __libc_calloc(n, bytes);
}
void *realloc(void *p, size_t bytes) {
  count++;
  return __libc_realloc(p, bytes);
}
void *memalign(size_t align, size_t bytes) {
  count++;
  return __libc_memalign(align, bytes);
}
void *aligned_alloc(size_t align, size_t bytes) { return memalign(align, bytes); }
int posix_memalign(void **out, size_t align, size_t bytes) {
  void *p = memalign(align, bytes);
  if (!p) return ENOMEM;
  *out = p;
  return 0;
}
#endif
