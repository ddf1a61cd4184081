// Tiles of scores that become weights, by the definition, one tile after another.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <float.h>
#include <math.h>
#include <string.h>

// Sizes of tiles, and what a row may meet among the scores that it sees.
enum { most_rows = 37, most_columns = 500 };
enum content { finite, hides_by_infinity };

typedef struct CAttentionKernels_softmax_tile tile_arguments;
typedef void (*softmax)(const tile_arguments *);

#define SUBJECT "softmax.c"
#include "both_precisions.h"

void check_softmax(kernel_set *set) {
  check_softmax_tile_f32(set);
  check_softmax_tile_f64(set);
}

#else

// In units of half a step of 1 (u): the difference from the maximum is rounded (|d| u in the result) and exp
// errs by 2 steps (4 u). A hundredth more is for products of errors. Below the normal range it is 2 steps
// there.
static WIDE P(weight_bound)(WIDE difference, WIDE weight) {
  const WIDE u = (sizeof(SCALAR) == sizeof(float) ? (WIDE)FLT_EPSILON : (WIDE)DBL_EPSILON) / 2;
  return weight > 0 ? (WIDE)1.01 * ((WIDE_(fabs)(difference) + 4) * u * weight) + 2 * P(step)(0)
                    : 2 * P(step)(0);
}

// What one row should become, from its scores and state before.
static void P(check_row)(const tile_arguments *tile, ptrdiff_t r, const SCALAR *before, SCALAR old_maximum,
                         SCALAR old_sum) {
  const WIDE u = (sizeof(SCALAR) == sizeof(float) ? (WIDE)FLT_EPSILON : (WIDE)DBL_EPSILON) / 2;
  const SCALAR nothing = -(SCALAR)INFINITY, *weights = (const SCALAR *)tile->scores + r * tile->row_stride;
  const SCALAR *maxima = tile->maximum, *sums = tile->sum, *factors = tile->rescale;
  const ptrdiff_t end = tile->end[r] < tile->columns ? tile->end[r] : tile->columns;
  SCALAR maximum = old_maximum;
  for (ptrdiff_t c = tile->begin[r]; c < end; c++)
    maximum = before[c] > maximum ? before[c] : maximum;
  P(expect_equal)(r, maxima[r], maximum);
  // The state of a row that has seen nothing is the sum 0.
  WIDE difference = (WIDE)old_maximum - maximum, rescale = maximum == nothing ? 0 : WIDE_(exp)(difference);
  WIDE rescale_bound = isfinite(difference) ? P(weight_bound)(difference, rescale) : 0;
  P(expect_within)(r, factors[r], rescale, rescale_bound);
  WIDE sum = old_sum * rescale, bound = old_sum * rescale_bound;
  for (ptrdiff_t c = 0; c < tile->columns; c++) {
    int counts = c >= tile->begin[r] && c < end && before[c] > nothing;
    WIDE d = counts ? (WIDE)before[c] - maximum : 0, weight = counts ? WIDE_(exp)(d) : 0;
    WIDE weight_bound = counts ? P(weight_bound)(d, weight) : 0;
    P(expect_within)(c, weights[c], weight, weight_bound);
    sum += weight;
    bound += weight_bound;
  }
  // However they are added, no number meets more additions than there are, and each errs by u of no more than
  // the sum.
  P(expect_within)(r, sums[r], sum, bound + (WIDE)1.01 * (WIDE)(tile->columns + 2) * u * sum);
}

// A tile with anything in the columns that a row does not see, and in those that it sees what `content` says.
static void P(fill_tile)(const tile_arguments *tile, enum content content, struct random *random) {
  int32_t *begin = (int32_t *)tile->begin, *end = (int32_t *)tile->end;
  for (ptrdiff_t r = 0; r < tile->rows; r++) {
    begin[r] = (int32_t)random_below(random, tile->columns + 1);
    end[r] = begin[r] + (int32_t)random_below(random, tile->columns + 4 - begin[r]);
    // All of it in some rows; in others nothing, said in two ways.
    if (r % 4 == 1)
      begin[r] = 0, end[r] = (int32_t)tile->columns;
    if (r % 7 == 3)
      begin[r] = (int32_t)tile->columns + 5, end[r] = (int32_t)tile->columns;
    if (r % 7 == 5)
      end[r] = begin[r] / 2;
    SCALAR *row = (SCALAR *)tile->scores + r * tile->row_stride;
    int is_all_hidden = content == hides_by_infinity && random_below(random, 6) == 0;
    for (ptrdiff_t c = 0; c < tile->columns; c++) {
      int is_hidden = content == hides_by_infinity && (is_all_hidden || random_below(random, 9) == 0);
      if (c < begin[r] || c >= end[r])
        row[c] = P(anything)(random);
      else
        row[c] = is_hidden ? -(SCALAR)INFINITY : (SCALAR)random_between(random, r % 5 == 4 ? -120 : -8, 8);
    }
  }
}

static tile_arguments P(tile)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row_stride, enum edge edge) {
  const ptrdiff_t real = sizeof(SCALAR), index = sizeof(int32_t);
  tile_arguments tile = {.row_stride = row_stride, .rows = rows, .columns = columns};
  tile.scores = room(0, (rows ? (rows - 1) * row_stride + columns : 0) * real, edge);
  tile.maximum = room(1, rows * real, edge);
  tile.sum = room(2, rows * real, edge);
  tile.rescale = room(3, rows * real, edge);
  tile.begin = room(4, rows * index, edge);
  tile.end = room(5, rows * index, edge);
  for (ptrdiff_t r = 0; r < rows; r++)
    ((SCALAR *)tile.maximum)[r] = -(SCALAR)INFINITY, ((SCALAR *)tile.sum)[r] = 0;
  return tile;
}

static void P(check_tiles)(softmax softmax, enum edge edge) {
  struct random random = {13};
  static SCALAR before[most_rows * (most_columns + 2)];
  for (ptrdiff_t columns = 0; columns <= most_columns; columns += columns < 70 ? 1 : 43) {
    const ptrdiff_t rows = columns % (most_rows + 1), row_stride = columns + columns % 3;
    tile_arguments tile = P(tile)(rows, columns, row_stride, edge);
    for (int turn = 0; turn < 3; turn++) {
      // Gaps between rows stay what they are.
      P(fill_tile)(&tile, columns % 2 ? hides_by_infinity : finite, &random);
      tile.hides_by_infinity = columns % 2;
      SCALAR old_maximum[most_rows], old_sum[most_rows];
      const ptrdiff_t count = rows ? (rows - 1) * row_stride + columns : 0;
      memcpy(before, tile.scores, (size_t)count * sizeof(SCALAR));
      memcpy(old_maximum, tile.maximum, (size_t)rows * sizeof(SCALAR));
      memcpy(old_sum, tile.sum, (size_t)rows * sizeof(SCALAR));
      softmax(&tile);
      for (ptrdiff_t r = 0; r < rows; r++) {
        begin_case("%td columns, tile %d, row %td of %td, sees %d to %d", columns, turn, r, rows,
                   (int)tile.begin[r], (int)tile.end[r]);
        P(check_row)(&tile, r, before + r * row_stride, old_maximum[r], old_sum[r]);
        for (ptrdiff_t c = columns; c < row_stride && r + 1 < rows; c++)
          P(expect_equal)(c, ((SCALAR *)tile.scores)[r * row_stride + c], before[r * row_stride + c]);
      }
      for (int number = 0; number < 4; number++)
        expect_untouched_around_room(number);
    }
  }
}

// One score that is no number, or not hidden though -infinity, in each place that the row sees; what it does
// not see says nothing.
static void P(check_what_reaches_the_sum)(softmax softmax) {
  const SCALAR nan = (SCALAR)NAN, infinity = (SCALAR)INFINITY;
  const struct {
    SCALAR score;
    int hides, reaches;
  } kinds[] = {{nan, 0, 1},       {nan, 1, 1},       {infinity, 0, 1},     {infinity, 1, 1},
               {-infinity, 0, 1}, {-infinity, 1, 0}, {-(SCALAR)1e30, 0, 0}};
  for (ptrdiff_t columns = 1; columns <= 70; columns++) {
    for (ptrdiff_t place = 0; place < columns; place++) {
      for (int kind = 0; kind < 7; kind++) {
        tile_arguments tile = P(tile)(1, columns + 2, columns + 2, at_end);
        ((int32_t *)tile.begin)[0] = 1;
        ((int32_t *)tile.end)[0] = (int32_t)columns + 1;
        tile.hides_by_infinity = kinds[kind].hides;
        SCALAR *scores = tile.scores;
        for (ptrdiff_t c = 0; c < columns; c++)
          scores[c + 1] = (SCALAR)(c % 5);
        scores[0] = -infinity, scores[columns + 1] = nan;
        scores[place + 1] = kinds[kind].score;
        begin_case("%td columns, %g, hides by infinity %d", columns, kinds[kind].score, kinds[kind].hides);
        softmax(&tile);
        expect_equal_integer(place, isnan(*(SCALAR *)tile.sum) != 0, kinds[kind].reaches);
      }
    }
  }
}

static void P(check_softmax_tile)(kernel_set *set) {
  softmax softmax = BEGIN_ENTRY(set, ROWS(softmax_tile));
  FOR_EACH_EDGE (edge)
    P(check_tiles)(softmax, edge);
  P(check_what_reaches_the_sum)(softmax);
}

#endif
