// The words of Advanced SIMD.

#if defined(__aarch64__)

#include "words.h"

#include "simd_neon.h"

#define SUBJECT "words.inc"
#include "both_precisions.h"
#include "tile_words.inc"
#include "integer_words.inc"

void check_words_neon(void) {
  check_words_f32();
  check_words_f64();
  check_tile_words();
  check_integer_words();
}

#endif
