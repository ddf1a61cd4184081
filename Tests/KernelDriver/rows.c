// Rows as a whole: scaled, added, transposed, looked through for what is not finite.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SUBJECT "rows.c"
#include "both_precisions.h"

void check_rows(kernel_set *set) {
  check_scale_f32(set);
  check_scale_f64(set);
  check_scale_and_add_f32(set);
  check_scale_and_add_f64(set);
  check_all_finite_f32(set);
  check_all_finite_f64(set);
  check_transpose_f32(set);
  check_transpose_f64(set);
}

#else

// One product, rounded once: the same bits from every set.
static void P(check_scale)(kernel_set *set) {
  void (*scale)(void *, ptrdiff_t, double) = BEGIN_ENTRY(set, ROWS(scale));
  struct random random = {1};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      SCALAR *x = room(0, n * (ptrdiff_t)sizeof *x, edge), expected[1000];
      SCALAR factor = P(anything)(&random);
      begin_case("n %td, factor %g", n, factor);
      for (ptrdiff_t i = 0; i < n; i++) {
        x[i] = P(anything)(&random);
        expected[i] = x[i] * factor;
      }
      scale(x, n, factor);
      for (ptrdiff_t i = 0; i < n; i++)
        P(expect_equal)(i, x[i], expected[i]);
      expect_untouched_around_room(0);
    }
}

// The sum is rounded, and so is the other row's product; the row's own product where there is no fma.
static void P(check_scale_and_add)(kernel_set *set) {
  void (*scale_and_add)(void *, ptrdiff_t, double, const void *, double) =
      BEGIN_ENTRY(set, ROWS(scale_and_add));
  struct random random = {2};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      SCALAR *target = room(0, n * (ptrdiff_t)sizeof *target, edge),
             *other = room(1, n * (ptrdiff_t)sizeof *other, edge);
      SCALAR factor = (SCALAR)random_between(&random, -2, 2),
             other_factor = (SCALAR)random_between(&random, -2, 2);
      WIDE expected[1000], bound[1000];
      begin_case("n %td, factors %g and %g", n, factor, other_factor);
      for (ptrdiff_t i = 0; i < n; i++) {
        target[i] = (SCALAR)random_between(&random, -8, 8);
        other[i] = (SCALAR)random_between(&random, -8, 8);
        WIDE own = (WIDE)target[i] * factor, part = (WIDE)other[i] * other_factor;
        expected[i] = own + part;
        bound[i] = P(step)(expected[i]) + P(step)(own) + P(step)(part);
        // Half a step each; what is computed in the wide type errs by less than a thousandth of a step.
        bound[i] *= (WIDE)0.501;
      }
      scale_and_add(target, n, factor, other, other_factor);
      for (ptrdiff_t i = 0; i < n; i++)
        P(expect_within)(i, target[i], expected[i], bound[i]);
      expect_untouched_around_room(0);
      // A weight of 0 does not hide what is not finite, and infinities of both signs have no sum.
      for (ptrdiff_t i = 0; i < n; i++) {
        target[i] = i % 3 == 0 ? (SCALAR)NAN : i % 3 == 1 ? 1 : (SCALAR)INFINITY;
        other[i] = i % 3 == 0 ? 1 : i % 3 == 1 ? (SCALAR)NAN : -(SCALAR)INFINITY;
      }
      scale_and_add(target, n, n % 2, other, n % 2);
      for (ptrdiff_t i = 0; i < n; i++)
        P(expect_equal)(i, target[i], (SCALAR)NAN);
    }
}

static void P(check_all_finite)(kernel_set *set) {
  int (*all_finite)(const void *, ptrdiff_t) = BEGIN_ENTRY(set, ROWS(all_finite));
  const SCALAR poisons[] = {(SCALAR)NAN, (SCALAR)INFINITY, -(SCALAR)INFINITY};
  const SCALAR largest = sizeof(SCALAR) == sizeof(float) ? (SCALAR)FLT_MAX : (SCALAR)DBL_MAX;
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      SCALAR *x = room(0, n * (ptrdiff_t)sizeof *x, edge);
      for (ptrdiff_t i = 0; i < n; i++)
        x[i] = i % 5 ? largest : -largest;
      begin_case("n %td, all finite", n);
      expect_equal_integer(n, all_finite(x, n), 1);
      for (ptrdiff_t i = 0; i < n; i++) {
        begin_case("n %td, one is %g", n, poisons[i % 3]);
        SCALAR before = x[i];
        x[i] = poisons[i % 3];
        expect_equal_integer(i, all_finite(x, n), 0);
        x[i] = before;
      }
    }
}

// Only moves: the same bits, NaN and its kin included.
static void P(check_transpose)(kernel_set *set) {
  void (*transpose)(void *, ptrdiff_t, const void *, ptrdiff_t, ptrdiff_t, ptrdiff_t) =
      BEGIN_ENTRY(set, ROWS(transpose));
  struct random random = {3};
  FOR_EACH_EDGE (edge)
    for (ptrdiff_t rows = 0; rows <= 40; rows += 1 + rows / 20) {
      for (ptrdiff_t columns = 0; columns <= 40; columns += 1 + columns / 20) {
        const ptrdiff_t stride = columns + rows % 4, target_stride = rows + columns % 3;
        // Without the gap behind the last row, so that what follows it is out of bounds.
        const ptrdiff_t count = rows && columns ? (rows - 1) * stride + columns : 0;
        const ptrdiff_t target_count = rows && columns ? (columns - 1) * target_stride + rows : 0;
        SCALAR *source = room(0, count * (ptrdiff_t)sizeof *source, edge);
        SCALAR *target = room(1, target_count * (ptrdiff_t)sizeof *target, edge), expected[42 * 42];
        begin_case("%td rows, %td columns, strides %td and %td", rows, columns, stride, target_stride);
        for (ptrdiff_t i = 0; i < count; i++)
          source[i] = P(anything)(&random);
        memcpy(expected, target, (size_t)target_count * sizeof *target);
        for (ptrdiff_t r = 0; r < rows; r++)
          for (ptrdiff_t c = 0; c < columns; c++)
            expected[c * target_stride + r] = source[r * stride + c];
        transpose(target, target_stride, source, stride, rows, columns);
        for (ptrdiff_t i = 0; i < target_count; i++)
          P(expect_equal)(i, target[i], expected[i]);
        expect_untouched_around_room(1);
      }
    }
}

#endif
