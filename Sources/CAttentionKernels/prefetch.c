// Prefetches for callers of the kernels; the same on every CPU.

#include "CAttentionKernels.h"

enum { line = 64, second_level = 2 };

void CAttentionKernels_prefetch(const void *from, ptrdiff_t bytes) {
  for (ptrdiff_t i = 0; i < bytes; i += line)
    __builtin_prefetch((const char *)from + i, 0, second_level);
}

void CAttentionKernels_prefetch_for_writing(void *to, ptrdiff_t bytes) {
  for (ptrdiff_t i = 0; i < bytes; i += line)
    __builtin_prefetch((char *)to + i, 1, second_level);
}
