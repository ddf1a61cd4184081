// The words of AVX-512 with BF16.

#if defined(__x86_64__)

#include "words.h"

#include <immintrin.h>

// As in set_avx512bf16.c.
#pragma clang attribute push(                                                                                \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"))), apply_to = function)

#define CATTENTIONKERNELS_AVX512_BF16
#include "simd_avx512.h"

#define SUBJECT "words.inc"
#include "both_precisions.h"
#include "tile_words.inc"
#include "integer_words.inc"

void check_words_avx512bf16(void) {
  check_words_f32();
  check_words_f64();
  check_tile_words();
  check_integer_words();
}

#pragma clang attribute pop

#endif
