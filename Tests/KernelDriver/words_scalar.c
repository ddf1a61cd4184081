// The words of vectors of one element.

#include "words.h"

#include "simd_scalar.h"

#define SUBJECT "words.inc"
#include "both_precisions.h"
#include "tile_words.inc"
#include "integer_words.inc"

void check_words_scalar(void) {
  check_words_f32();
  check_words_f64();
  check_tile_words();
  check_integer_words();
}
