// cap * tanh(score / cap): tanh within 4 steps, the result within 6 epsilon for every cap, and whether all scores were finite.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <float.h>
#include <math.h>

typedef int (*softcap)(void *scores, ptrdiff_t n, double cap);

#define SUBJECT "softcap.c"
#include "both_precisions.h"

// Every 61st float where tanh bends, from 2^-13 to 9.1, and every 4099th elsewhere: all last bits, and all exponents.
static void check_tanh_of_floats(kernel_set *set) {
  enum { count = 1 << 20 };
  float *x = room(0, count * (ptrdiff_t)sizeof *x, at_end);
  for (uint32_t bits = 0; bits < 0x7F800000;) {
    ptrdiff_t n = 0;
    begin_case("tanh of every 61st or 4099th float from 0x%08X on", bits);
    for (; bits < 0x7F800000 && n < count; bits += f32_of_bits(bits) >= 0x1p-13f && f32_of_bits(bits) < 9.1f ? 61 : 4099)
      x[n++] = f32_of_bits(bits);
    check_tanh_of_f32(set, x, n);
  }
}

void check_softcap(kernel_set *set) {
  check_softcap_of_any_length_f32(set);
  check_tanh_f32(set);
  check_tanh_of_floats(set);
  check_caps_f32(set);
  check_edges_f32(set);
  check_softcap_of_any_length_f64(set);
  check_tanh_f64(set);
  check_caps_f64(set);
  check_edges_f64(set);
}

#else

// A cap of 1 leaves tanh itself.
static void P(check_tanh_of)(kernel_set *set, const SCALAR *x, ptrdiff_t n) {
  SCALAR *y = room(1, n * (ptrdiff_t)sizeof *y, at_end);
  for (ptrdiff_t i = 0; i < n; i++)
    y[i] = x[i];
  expect_equal_integer(n, set->ROWS(softcap)(y, n, 1), 1);
  for (ptrdiff_t i = 0; i < n; i++) {
    WIDE exact = WIDE_(tanh)(x[i]), nearest = (SCALAR)exact;
    // Just under 1, the steps are those below it.
    WIDE step = nearest == 1 || nearest == -1 ? P(step)((WIDE)0.75) : P(step)(exact);
    P(expect_within)(i, y[i], exact, 4 * step);
    expect_equal_integer(i, y[i] >= -1 && y[i] <= 1, 1);
  }
}

// Every exponent; the exponents where tanh bends, from 2^-13 to 2^4, more often.
static void P(check_tanh)(kernel_set *set) {
  enum { count = 60000 };
  struct random random = {10};
  SCALAR *x = room(0, count * (ptrdiff_t)sizeof *x, at_end);
  const int lowest = sizeof(SCALAR) == sizeof(float) ? -149 : -1074,
            highest = sizeof(SCALAR) == sizeof(float) ? 127 : 1023;
  begin_case("tanh of %d numbers", count);
  for (ptrdiff_t i = 0; i < count; i++) {
    int exponent = i % 4 ? (int)random_below(&random, 17) - 13
                         : lowest + (int)random_below(&random, highest - lowest + 1);
    SCALAR sign = random_below(&random, 2) ? 1 : -1;
    x[i] = sign * SCALAR_(ldexp)((SCALAR)random_between(&random, 1, 2), exponent);
    // Rounding may have doubled the largest to infinity.
    if (!isfinite(x[i]))
      x[i] = 1;
  }
  P(check_tanh_of)(set, x, count);
}

static void P(expect_capped)(ptrdiff_t i, SCALAR got, SCALAR score, SCALAR cap) {
  const SCALAR epsilon = sizeof(SCALAR) == sizeof(float) ? (SCALAR)FLT_EPSILON : (SCALAR)DBL_EPSILON;
  const SCALAR smallest = sizeof(SCALAR) == sizeof(float) ? (SCALAR)FLT_MIN : (SCALAR)DBL_MIN;
  const WIDE exact = (WIDE)cap * WIDE_(tanh)((WIDE)score / cap), size = WIDE_(fabs)(exact);
  // In steps just above a power of two: tanh 4; the inverse and two products half each, of which those before tanh move it by no more
  // than they move the score. A score that is small beside the cap is subnormal in units of it, and loses as much as the header says.
  const WIDE bound = 6 * epsilon * size;
  P(expect_within)(i, got, exact, bound > smallest ? bound : smallest);
  // Never beyond the cap, and never of the other sign.
  expect_equal_integer(i, !(got > cap || got < -cap), 1);
  expect_equal_integer(i, isnan(score) || !signbit(got) == !signbit(score), 1);
  if (isinf(score))
    P(expect_equal)(i, got, SCALAR_(copysign)(cap, score));
}

static void P(check_softcap_of_any_length)(kernel_set *set) {
  softcap softcap = BEGIN_ENTRY(set, ROWS(softcap));
  static const double caps[] = {1, 30, 50, 0.37, 3e38, 1e-38};
  const SCALAR poisons[] = {(SCALAR)NAN, (SCALAR)INFINITY, -(SCALAR)INFINITY};
  struct random random = {11};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      const SCALAR cap = (SCALAR)caps[n % 6];
      SCALAR *scores = room(0, n * (ptrdiff_t)sizeof *scores, edge), before[1000];
      for (ptrdiff_t i = 0; i < n; i++) {
        SCALAR score = (SCALAR)random_between(&random, -4, 4) * cap;
        before[i] = isfinite(score) ? score : cap;
      }
      // All finite, then one that is not, in each place of a short row.
      for (ptrdiff_t place = -1; place < (n <= 70 ? n : 1); place++) {
        begin_case("n %td, cap %g, place %td", n, cap, place);
        for (ptrdiff_t i = 0; i < n; i++)
          scores[i] = i == place ? poisons[(n + place) % 3] : before[i];
        expect_equal_integer(n, softcap(scores, n, cap), place < 0);
        for (ptrdiff_t i = 0; i < n; i++)
          P(expect_capped)(i, scores[i], i == place ? poisons[(n + place) % 3] : before[i], cap);
        expect_untouched_around_room(0);
      }
    }
}

// Caps of every exponent, and the largest and smallest there are, with scores of every exponent.
static void P(check_caps)(kernel_set *set) {
  enum { count = 500 };
  const int is_single = sizeof(SCALAR) == sizeof(float), lowest = is_single ? -149 : -1074, highest = is_single ? 127 : 1023;
  const SCALAR largest = is_single ? (SCALAR)FLT_MAX : (SCALAR)DBL_MAX;
  SCALAR *scores = room(0, count * (ptrdiff_t)sizeof *scores, at_end), before[count];
  struct random random = {17};
  for (int exponent = lowest; exponent <= highest; exponent++) {
    for (int kind = 0; kind < 2; kind++) {
      const SCALAR cap = exponent == highest && kind ? largest
                         : exponent == lowest        ? SCALAR_(ldexp)(1, lowest)
                                                     : SCALAR_(ldexp)((SCALAR)random_between(&random, 1, 1.99), exponent);
      begin_case("cap %a", cap);
      for (int i = 0; i < count; i++) {
        // Half of them near the cap, where tanh bends.
        const int near = exponent - 12 + (int)random_below(&random, 16), any = lowest + (int)random_below(&random, highest - lowest + 1);
        before[i] = SCALAR_(ldexp)((SCALAR)random_between(&random, -2, 2), i % 2 ? near : any);
        if (!isfinite(before[i]))
          before[i] = i % 4 ? cap : -largest;
        scores[i] = before[i];
      }
      expect_equal_integer(count, set->ROWS(softcap)(scores, count, cap), 1);
      for (int i = 0; i < count; i++)
        P(expect_capped)(i, scores[i], before[i], cap);
    }
  }
}

// A number alone in every lane: whole vectors and rests have code of their own. A number's negative gives the negative result.
static void P(check_edges)(kernel_set *set) {
  const SCALAR largest = sizeof(SCALAR) == sizeof(float) ? (SCALAR)FLT_MAX : (SCALAR)DBL_MAX;
  const SCALAR caps[] = {30, largest, (SCALAR)3e38, (SCALAR)1e-38},
               numbers[] = {0, 1, (SCALAR)1e-3, largest, (SCALAR)INFINITY, (SCALAR)0x1p-149, (SCALAR)0x1.8p-140, (SCALAR)NAN};
  static const ptrdiff_t lengths[] = {1, 7, 40};
  for (int number = 0; number < 8; number++)
    for (int c = 0; c < 4; c++)
      for (int length = 0; length < 3; length++) {
        const ptrdiff_t n = lengths[length];
        SCALAR *up = room(0, n * (ptrdiff_t)sizeof *up, at_end), *down = room(1, n * (ptrdiff_t)sizeof *down, at_end);
        begin_case("n %td, all %a, cap %a", n, numbers[number], caps[c]);
        for (ptrdiff_t i = 0; i < n; i++)
          up[i] = numbers[number], down[i] = -numbers[number];
        set->ROWS(softcap)(up, n, caps[c]);
        set->ROWS(softcap)(down, n, caps[c]);
        for (ptrdiff_t i = 0; i < n; i++) {
          P(expect_capped)(i, up[i], numbers[number], caps[c]);
          P(expect_equal)(i, -down[i], up[i]);
        }
      }
}

#endif
