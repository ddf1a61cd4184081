// The tables that dispatch.c chooses from.

#ifndef CATTENTIONKERNELS_SETS_H
#define CATTENTIONKERNELS_SETS_H

#include "CAttentionKernels.h"

extern const struct CAttentionKernels CAttentionKernels_set_scalar;
#if defined(__x86_64__)
extern const struct CAttentionKernels CAttentionKernels_set_avx2;
extern const struct CAttentionKernels CAttentionKernels_set_avx512;
extern const struct CAttentionKernels CAttentionKernels_set_avx512bf16;
#elif defined(__aarch64__)
extern const struct CAttentionKernels CAttentionKernels_set_neon;
#endif

#endif
