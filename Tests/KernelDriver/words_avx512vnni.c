// The words of AVX-512 with VNNI.

#if defined(__x86_64__)

#include "words.h"

#include <immintrin.h>

// As in set_avx512vnni.c.
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))),    \
                             apply_to = function)

#define CATTENTIONKERNELS_AVX512_VNNI
#include "simd_avx512.h"

#define SUBJECT "words.inc"
#include "both_precisions.h"
#include "tile_words.inc"
#include "integer_words.inc"

void check_words_avx512vnni(void) {
  check_words_f32();
  check_words_f64();
  check_tile_words();
  check_integer_words();
}

#pragma clang attribute pop

#endif
