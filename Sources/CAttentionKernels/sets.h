// What each instruction set exports to dispatch.c: a function that overrides the entries of a table that the set computes better than
// the set below it.

#ifndef CATTENTIONKERNELS_SETS_H
#define CATTENTIONKERNELS_SETS_H

#include "CAttentionKernels.h"

void CAttentionKernels_override_scalar(struct CAttentionKernels *table);
#if defined(__x86_64__)
void CAttentionKernels_override_avx2(struct CAttentionKernels *table);
void CAttentionKernels_override_avx512(struct CAttentionKernels *table);
void CAttentionKernels_override_avx512vnni(struct CAttentionKernels *table);
void CAttentionKernels_override_avx512bf16(struct CAttentionKernels *table);
#elif defined(__aarch64__)
void CAttentionKernels_override_neon(struct CAttentionKernels *table);
#endif

#endif
