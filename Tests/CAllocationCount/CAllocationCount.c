#include "CAllocationCount.h"

#include <errno.h>
#include <stddef.h>

// An executable's own malloc takes the place of the C library's for all libraries of the process. What is not here (realloc, free)
// stays the C library's, whose memory all of it is.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static __thread long count;

long CAllocationCount_ofThisThread(void) { return count; }

// A sanitizer watches through a malloc of its own, and needs it before it is ready for any other: nothing is counted beside one.
#if !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer)

void *malloc(size_t size) {
  count++;
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count++;
  return __libc_calloc(number, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count++;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  count++;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

#endif
