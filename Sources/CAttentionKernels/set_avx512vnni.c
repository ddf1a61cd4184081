// x86-64 with AVX-512 VNNI on top of set_avx512.c: streamed scores and linear maps of int16 with int8, whose products an instruction multiplies and adds.
// Nothing else differs.

#if defined(__x86_64__)

#include "sets.h"

#include <immintrin.h>
#include <string.h>

// Every function from here on may use the set; dispatch.c calls them only on CPUs that have it.
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), apply_to = function)

#define CATTENTIONKERNELS_AVX512_VNNI
#include "simd_avx512.h"

#define ISA avx512vnni
#define TYPE i8
#define ELEMENT int8_t
#define LOAD(row, c) f32_load_i8_pairs((const int8_t *)(row) + (c))
#define SCALES
#define DOTS f32_dot_i16
#include "stream.inc"

#include "linear_i8.inc"

void CAttentionKernels_override_avx512vnni(struct CAttentionKernels *table) {
  table->dot_products_from_i8 = attn_dot_products_from_i8_avx512vnni;
  table->linear_i8 = attn_linear_i8_avx512vnni;
}

#pragma clang attribute pop

#endif
