// The one hint that kernels give to the caches; the same on every CPU.

#include "CAttentionKernels.h"

void CAttentionKernels_prefetch(const void *from, ptrdiff_t bytes) {
  enum { line = 64, second_level = 2 };
  for (ptrdiff_t i = 0; i < bytes; i += line)
    __builtin_prefetch((const char *)from + i, 0, second_level);
}
