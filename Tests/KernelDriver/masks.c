// What hides scores: biases and masks. One sum at most, and a choice: the same bits from every set.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <math.h>

#define SUBJECT "masks.c"
#include "both_precisions.h"

void check_masks(kernel_set *set) {
  check_biases_f32(set);
  check_biases_f64(set);
  check_hide_f32(set);
  check_hide_f64(set);
}

#else

// Runs add_bias, or combine_bias, where a sum that is -infinity stays it whatever the bias.
static void P(check_bias)(void (*add)(void *, const void *, ptrdiff_t), int combines) {
  const SCALAR hidden = -(SCALAR)INFINITY;
  struct random random = {4};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      SCALAR *x = room(0, n * (ptrdiff_t)sizeof *x, edge), *bias = room(1, n * (ptrdiff_t)sizeof *bias, edge);
      SCALAR expected[1000];
      begin_case("n %td", n);
      for (ptrdiff_t i = 0; i < n; i++) {
        x[i] = combines && random_below(&random, 4) == 0 ? hidden : P(anything)(&random);
        bias[i] = random_below(&random, 4) == 0 ? hidden : P(anything)(&random);
        expected[i] = bias[i] == hidden || (combines && x[i] == hidden) ? hidden : x[i] + bias[i];
      }
      add(x, bias, n);
      for (ptrdiff_t i = 0; i < n; i++)
        P(expect_equal)(i, x[i], expected[i]);
      expect_untouched_around_room(0);
    }
}

static void P(check_biases)(kernel_set *set) {
  P(check_bias)(BEGIN_ENTRY(set, ROWS(add_bias)), 0);
  P(check_bias)(BEGIN_ENTRY(set, ROWS(combine_bias)), 1);
}

static void P(check_hide)(kernel_set *set) {
  void (*hide)(void *, const uint8_t *, ptrdiff_t, ptrdiff_t) = BEGIN_ENTRY(set, ROWS(hide));
  // 0: one byte for all.
  static const ptrdiff_t strides[] = {1, 2, 3, 0, -1, -5};
  struct random random = {5};
  for (int s = 0; s < 6; s++)
    FOR_EACH_EDGE (edge)
      FOR_EACH_SIZE (n) {
        const ptrdiff_t stride = strides[s], steps = n > 0 ? (n - 1) * stride : 0,
                        span = steps < 0 ? -steps : steps;
        SCALAR *scores = room(0, n * (ptrdiff_t)sizeof *scores, edge), expected[1000];
        uint8_t *bytes = room(1, n > 0 ? span + 1 : 0, edge), *visible = bytes + (stride < 0 ? span : 0);
        begin_case("n %td, stride %td", n, stride);
        // Any byte but 0 shows.
        for (ptrdiff_t i = 0; n > 0 && i <= span; i++)
          bytes[i] = random_below(&random, 2) ? (uint8_t)random_bits(&random) : 0;
        for (ptrdiff_t i = 0; i < n; i++) {
          scores[i] = P(anything)(&random);
          expected[i] = visible[i * stride] ? scores[i] : -(SCALAR)INFINITY;
        }
        hide(scores, visible, stride, n);
        for (ptrdiff_t i = 0; i < n; i++)
          P(expect_equal)(i, scores[i], expected[i]);
        expect_untouched_around_room(0);
      }
}

#endif
