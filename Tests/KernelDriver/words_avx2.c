// The words of AVX2.

#if defined(__x86_64__)

#include "words.h"

#include <immintrin.h>

// As in set_avx2.c.
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "simd_avx2.h"

#define SUBJECT "words.inc"
#include "both_precisions.h"
#include "tile_words.inc"
#include "integer_words.inc"

void check_words_avx2(void) {
  check_words_f32();
  check_words_f64();
  check_tile_words();
  check_integer_words();
}

#pragma clang attribute pop

#endif
