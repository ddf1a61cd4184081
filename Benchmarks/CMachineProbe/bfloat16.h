// The dot product of AVX512_BF16: intrinsics, because no expression in C means it.
#pragma once

#include <immintrin.h>

// Each lane adds two products to a Float32: 64 operations a vector. Chains as in `DEFINE_MULTIPLY_ADD`.
__attribute__((target("avx512f,avx512bf16"))) static double avx512_bfloat16(long iterations, float *sink) {
  enum { chains = 16 };
  __m512 sums[chains];
  const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80), small = (__m512bh)_mm512_set1_epi16(0x3c00);
  for (int chain = 0; chain < chains; chain++)
    sums[chain] = _mm512_set1_ps((float)chain);
  for (long iteration = 0; iteration < iterations; iteration++) {
#pragma clang loop unroll(full)
    for (int chain = 0; chain < chains; chain++)
      sums[chain] = _mm512_dpbf16_ps(sums[chain], ones, small);
  }
  for (int chain = 1; chain < chains; chain++)
    sums[0] += sums[chain];
  *sink += sums[0][0];
  return 2.0 * 2 * 16 * chains * (double)iterations;
}
