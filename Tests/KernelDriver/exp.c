// exp of numbers up to 0, within 2 steps of the format at the exact value.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <float.h>
#include <math.h>

#define SUBJECT "exp.c"
#include "both_precisions.h"

static void check_exponents_f32(kernel_set *set);
static void check_exponents_f64(kernel_set *set);

void check_exp(kernel_set *set) {
  check_exp_of_any_length_f32(set);
  check_exponents_f32(set);
  check_exp_of_any_length_f64(set);
  check_exponents_f64(set);
}

// Every 251st float from -0 to -110, where the result has long been 0: all exponents, and all last bits.
static void check_exponents_f32(kernel_set *set) {
  enum { count = 1 << 18, stride = 251 };
  float *x = room(0, count * (ptrdiff_t)sizeof *x, at_end);
  for (uint32_t bits = 0x80000000; f32_of_bits(bits) >= -110;) {
    ptrdiff_t n = 0;
    begin_case("every %dst float from 0x%08X on", stride, bits);
    for (; f32_of_bits(bits) >= -110 && n < count; bits += stride)
      x[n++] = f32_of_bits(bits);
    check_exp_of_f32(set->f32.exp_nonpositive, x, n);
  }
}

static void check_exponents_f64(kernel_set *set) {
  enum { count = 20000 };
  struct random random = {8};
  double *x = room(0, count * (ptrdiff_t)sizeof *x, at_end);
  // Half of them evenly down to where the result is 0, half with every exponent.
  for (ptrdiff_t i = 0; i < count; i++)
    x[i] = i % 2 ? random_between(&random, -750, 0)
                 : -ldexp(random_between(&random, 1, 2), (int)(i % 1084) - 1074);
  begin_case("%d doubles", count);
  check_exp_of_f64(set->f64.exp_nonpositive, x, count);
}

#else

static void P(check_exp_of)(void (*exp_nonpositive)(const void *, void *, ptrdiff_t), const SCALAR *x,
                            ptrdiff_t n) {
  SCALAR *y = room(1, n * (ptrdiff_t)sizeof *y, at_end);
  exp_nonpositive(x, y, n);
  for (ptrdiff_t i = 0; i < n; i++) {
    WIDE exact = WIDE_(exp)(x[i]);
    P(expect_within)(i, y[i], exact, 2 * P(step)(exact));
  }
  expect_untouched_around_room(1);
}

static void P(check_exp_of_any_length)(kernel_set *set) {
  void (*exp_nonpositive)(const void *, void *, ptrdiff_t) = BEGIN_ENTRY(set, ROWS(exp_nonpositive));
  const SCALAR edges[] = {
      0, (SCALAR)-0.0, -(SCALAR)INFINITY, (SCALAR)NAN, -(SCALAR)FLT_MAX, -104, (SCALAR)-103.9, -745, -1};
  struct random random = {9};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      SCALAR *x = room(0, n * (ptrdiff_t)sizeof *x, edge), *y = room(1, n * (ptrdiff_t)sizeof *y, edge);
      SCALAR before[1000];
      begin_case("n %td", n);
      for (ptrdiff_t i = 0; i < n; i++)
        before[i] = x[i] = random_below(&random, 3) ? (SCALAR)random_between(&random, -30, 0)
                                                    : edges[random_below(&random, 9)];
      exp_nonpositive(x, y, n);
      expect_untouched_around_room(1);
      // In place, too.
      exp_nonpositive(x, x, n);
      for (ptrdiff_t i = 0; i < n; i++) {
        WIDE exact = WIDE_(exp)(before[i]);
        P(expect_within)(i, y[i], exact, 2 * P(step)(exact));
        P(expect_equal)(i, x[i], y[i]);
        // The weight of the largest score is 1, that of a hidden one 0.
        if (before[i] == 0 || isinf(before[i]))
          P(expect_equal)(i, y[i], before[i] == 0 ? 1 : 0);
      }
    }
}

#endif
