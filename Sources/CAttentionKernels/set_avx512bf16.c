// x86-64 with AVX-512 BF16 on top of set_avx512vnni.c: fused attention, streamed scores and linear maps of pairs of bf16, which an instruction multiplies. Nothing
// else differs.

#if defined(__x86_64__)

#include "sets.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

// Every function from here on may use the set; dispatch.c calls them only on CPUs that have it.
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"))), apply_to = function)

#define CATTENTIONKERNELS_AVX512_BF16
#include "simd_avx512.h"

#define FUSED_TILE_ROWS 8
#include "fused_rules.h"
#include "fused_pairs.inc"

#define ISA avx512bf16
#define TYPE bf16
#define ELEMENT uint16_t
#define LOAD(row, c) f32_load((const float *)((const uint16_t *)(row) + (c)))
#define DOTS f32_dot_pairs
#include "stream.inc"

#include "linear_bf16.inc"

void CAttentionKernels_override_avx512bf16(struct CAttentionKernels *table) {
  table->dots_bf16_pairs = 1;
  table->attend_block_bf16 = attn_fused_attend_block_bf16;
  table->attend_block_bf16_with_mass = attn_fused_attend_block_bf16_with_mass;
  table->dot_products_from_bf16 = attn_dot_products_from_bf16_avx512bf16;
  table->linear_bf16 = attn_linear_bf16_avx512bf16;
}

#pragma clang attribute pop

#endif
