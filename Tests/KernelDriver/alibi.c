// scores[i] - slope * |first + i|: one rounding with fma, two without.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <math.h>
#include <string.h>

typedef void (*add_alibi)(void *scores, ptrdiff_t n, double slope, double first_distance);

#define SUBJECT "alibi.c"
#include "both_precisions.h"

void check_alibi(kernel_set *set) {
  check_add_alibi_f32(set);
  check_add_alibi_f64(set);
}

#else

static void P(check_alibi_from)(add_alibi add_alibi, int has_fma, SCALAR first, SCALAR slope,
                                struct random *random) {
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      SCALAR *scores = room(0, n * (ptrdiff_t)sizeof *scores, edge), before[1000];
      begin_case("n %td, slope %g, first distance %g", n, slope, first);
      for (ptrdiff_t i = 0; i < n; i++) {
        int is_finite = random_below(random, 8) != 0;
        before[i] = scores[i] = is_finite ? (SCALAR)random_between(random, -8, 8) : P(anything)(random);
      }
      add_alibi(scores, n, slope, first);
      for (ptrdiff_t i = 0; i < n; i++) {
        // The distance is rounded once where it is no integer.
        const SCALAR distance = SCALAR_(fabs)(first + (SCALAR)i);
        const WIDE product = (WIDE)slope * distance, exact = before[i] - product;
        // Half a step each, and less than a hundredth for what the wide type rounds.
        WIDE bound = P(step)(exact) + (has_fma ? 0 : P(step)(product));
        P(expect_within)(i, scores[i], exact, (WIDE)0.505 * bound);
      }
      expect_untouched_around_room(0);
    }
}

// Distances that are summed up, instead of computed anew, would round at each power of two that they pass.
static void P(check_alibi_of_long_rows)(add_alibi add_alibi, SCALAR first) {
  enum { n = 1 << 18 };
  SCALAR *scores = room(0, n * (ptrdiff_t)sizeof *scores, at_end);
  begin_case("n %d, first distance %g", n, first);
  for (ptrdiff_t i = 0; i < n; i++)
    scores[i] = 0;
  add_alibi(scores, n, 1, first);
  for (ptrdiff_t i = 0; i < n; i++)
    P(expect_within)(i, scores[i], -SCALAR_(fabs)(first + (SCALAR)i), 0);
}

static void P(check_add_alibi)(kernel_set *set) {
  add_alibi add_alibi = BEGIN_ENTRY(set, ROWS(add_alibi));
  static const double firsts[] = {-100, -33, -5, 0, 12, 1e6, 1.0 / 3},
                      slopes[] = {0.25, 0.840896, 0, 0.00390625};
  const int has_fma = strcmp(set->name, "scalar") != 0;
  struct random random = {12};
  for (int f = 0; f < 7; f++)
    for (int s = 0; s < 4; s++)
      P(check_alibi_from)(add_alibi, has_fma, (SCALAR)firsts[f], (SCALAR)slopes[s], &random);
  P(check_alibi_of_long_rows)(add_alibi, 0);
  P(check_alibi_of_long_rows)(add_alibi, (SCALAR)(1.0 / 3));
  P(check_alibi_of_long_rows)(add_alibi, -1000);
}

#endif
