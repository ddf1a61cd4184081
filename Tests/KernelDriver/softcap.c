// cap * tanh(score / cap), tanh within 4 steps, and whether all scores were finite.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <float.h>
#include <math.h>

#define SUBJECT "softcap.c"
#include "both_precisions.h"

void check_softcap(kernel_set *set) {
  check_softcap_of_any_length_f32(set);
  check_tanh_f32(set);
  check_softcap_of_any_length_f64(set);
  check_tanh_f64(set);
}

#else

typedef int (*P(softcap))(SCALAR *, ptrdiff_t, SCALAR, SCALAR);

// A cap of 1 leaves tanh itself. Every exponent; the exponents where tanh bends, from 2^-13 to 2^4, more
// often.
static void P(check_tanh)(kernel_set *set) {
  enum { count = 60000 };
  P(softcap) softcap = set->P(softcap);
  struct random random = {10};
  SCALAR *x = room(0, count * (ptrdiff_t)sizeof *x, at_end),
         *y = room(1, count * (ptrdiff_t)sizeof *y, at_end);
  const int lowest = sizeof(SCALAR) == sizeof(float) ? -149 : -1074,
            highest = sizeof(SCALAR) == sizeof(float) ? 127 : 1023;
  begin_case("tanh of %d numbers", count);
  for (ptrdiff_t i = 0; i < count; i++) {
    int exponent = i % 4 ? (int)random_below(&random, 17) - 13
                         : lowest + (int)random_below(&random, highest - lowest + 1);
    SCALAR sign = random_below(&random, 2) ? 1 : -1;
    x[i] = y[i] = sign * SCALAR_(ldexp)((SCALAR)random_between(&random, 1, 2), exponent);
    // Rounding may have doubled the largest to infinity.
    if (!isfinite(x[i]))
      x[i] = y[i] = 1;
  }
  expect_equal_integer(count, softcap(y, count, 1, 1), 1);
  for (ptrdiff_t i = 0; i < count; i++) {
    WIDE exact = WIDE_(tanh)(x[i]), nearest = (SCALAR)exact;
    // Just under 1, the steps are those below it.
    WIDE step = nearest == 1 || nearest == -1 ? P(step)((WIDE)0.75) : P(step)(exact);
    P(expect_within)(i, y[i], exact, 4 * step);
    expect_equal_integer(i, y[i] >= -1 && y[i] <= 1, 1);
  }
}

static void P(check_softcap_of_any_length)(kernel_set *set) {
  P(softcap) softcap = BEGIN_ENTRY(set, P(softcap));
  static const double caps[] = {1, 30, 50, 0.37};
  const SCALAR poisons[] = {(SCALAR)NAN, (SCALAR)INFINITY, -(SCALAR)INFINITY};
  const SCALAR epsilon = sizeof(SCALAR) == sizeof(float) ? (SCALAR)FLT_EPSILON : (SCALAR)DBL_EPSILON;
  struct random random = {11};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      const SCALAR cap = (SCALAR)caps[n % 4], inverse = 1 / cap;
      SCALAR *scores = room(0, n * (ptrdiff_t)sizeof *scores, edge), before[1000];
      begin_case("n %td, cap %g", n, cap);
      for (ptrdiff_t i = 0; i < n; i++)
        before[i] = scores[i] = (SCALAR)random_between(&random, -4, 4) * cap;
      const ptrdiff_t poisoned = n > 0 && n % 2 ? random_below(&random, n) : -1;
      if (poisoned >= 0)
        before[poisoned] = scores[poisoned] = poisons[n / 2 % 3];
      expect_equal_integer(n, softcap(scores, n, cap, inverse), poisoned < 0);
      for (ptrdiff_t i = 0; i < n; i++) {
        WIDE exact = (WIDE)cap * WIDE_(tanh)((WIDE)before[i] / cap);
        // In steps just above a power of two: tanh 4; the inverse and two products half each, of which those
        // before tanh move it by no more than they move the score.
        P(expect_within)(i, scores[i], exact, 6 * epsilon * WIDE_(fabs)(exact));
        // Never beyond the cap.
        expect_equal_integer(i, !(scores[i] > cap || scores[i] < -cap), 1);
      }
      expect_untouched_around_room(0);
    }
}

#endif
