// Keys of two planes: rows of them as numbers, and what low bytes of chosen keys add to scores. Integers add up
// exactly: every set gives the bits of the definition.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "values.h"

#include <math.h>
#include <string.h>

typedef void (*load)(void *target, const void *high, ptrdiff_t low, ptrdiff_t n, double factor);
typedef void (*products)(const struct CAttentionKernels_low_products *);

// Planes in two rooms from `number` on: pages that fault follow both. Returns the way from a high byte to its
// low byte.
static ptrdiff_t make_planes(int number, ptrdiff_t bytes, enum edge edge, struct random *random) {
  for (int plane = 0; plane < 2; plane++) {
    int8_t *all = room(number + plane, bytes, edge);
    for (ptrdiff_t i = 0; i < bytes; i++)
      all[i] = (int8_t)random_bits(random);
  }
  return (ptrdiff_t)((intptr_t)room_piece(number + 1) - (intptr_t)room_piece(number));
}

struct low_case {
  ptrdiff_t keys, columns, rows, gap;
  enum edge edge;
  // Of so many keys one is chosen; 0 for none.
  ptrdiff_t every;
  // Whether integers are as large as they get: sums are then near the largest of 32 bits.
  int is_extreme;
};

static void fill_floats(float *x, ptrdiff_t n, float size, struct random *random) {
  for (ptrdiff_t i = 0; i < n; i++)
    x[i] = size * (float)random_between(random, -2, 2);
}

enum { most_keys = 1500, most_runs = 2 * most_keys };

// The keys in runs of different lengths, some of none. In memory the last run comes first, so that keys of two
// runs are never neighbours.
static struct CAttentionKernels_run *cut_into_runs(const struct low_case *c, const int8_t *high,
                                                   ptrdiff_t stride, const float *scales) {
  static struct CAttentionKernels_run runs[most_runs];
  ptrdiff_t used = 0;
  for (ptrdiff_t i = 0, n; i < c->keys; i += n, used++) {
    n = (used * 23 + c->keys * 5 + c->columns) % 37;
    n = n < c->keys - i ? n : c->keys - i;
    const ptrdiff_t place = c->keys - i - n;
    runs[used] = (struct CAttentionKernels_run){.rows = high + place * stride,
                                                .scales = scales + place,
                                                .count = n,
                                                .next = (void *)512,
                                                .next_stride = 64,
                                                .next_count = 3};
  }
  const size_t bytes = (size_t)used * sizeof *runs;
  return memcpy(room(8, (ptrdiff_t)bytes, c->edge), runs, bytes);
}

// In rooms 0 to 5 and 8; the scores before are in room 6, chosen keys in room 7.
static struct CAttentionKernels_low_products products_of_case(const struct low_case *c,
                                                              struct random *random) {
  const ptrdiff_t stride = c->columns + c->gap, score_stride = c->keys + c->gap,
                  scores = (c->rows - 1) * score_stride + c->keys,
                  bytes = (c->keys - 1) * stride + c->columns,
                  query_values = (c->rows - 1) * stride + c->columns;
  const ptrdiff_t low = make_planes(0, bytes, c->edge, random);
  const int8_t *high = room_piece(0);
  int16_t *queries = room(2, query_values * 2, c->edge);
  float *scales = room(3, c->keys * 4, c->edge), *query_scales = room(4, c->rows * 4, c->edge);
  if (c->is_extreme)
    memset(room_piece(1), -128, (size_t)bytes);
  for (ptrdiff_t i = 0; i < query_values; i++)
    queries[i] =
        c->is_extreme ? (i / stride % 2 ? 32767 : -32767) : (int16_t)(random_below(random, 65535) - 32767);
  // Scales far from 1, and those of queries make up for them.
  const float size = ldexpf(1, (int)random_below(random, 100) - 50);
  fill_floats(scales, c->keys, size, random);
  fill_floats(query_scales, c->rows, 0x1p-20f / size, random);
  int32_t every[CAttentionKernels_most_chosen];
  ptrdiff_t count = 0;
  for (ptrdiff_t j = 0; j < c->keys && c->every && count < CAttentionKernels_most_chosen; j++)
    if (random_below(random, c->every) == 0)
      every[count++] = (int32_t)j;
  const int32_t *chosen = memcpy(room(7, count * 4, c->edge), every, (size_t)count * 4);
  float *before = room(6, scores * 4, c->edge);
  fill_floats(before, scores, 1, random);
  return (struct CAttentionKernels_low_products){
      .runs = cut_into_runs(c, high, stride, scales),
      .low = low,
      .row_stride = stride,
      .columns = c->columns,
      .chosen = chosen,
      .count = count,
      .queries = queries,
      .query_stride = stride,
      .query_count = c->rows,
      .query_scales = query_scales,
      .scale = c->columns % 3 ? (float)random_between(random, -1, 1) : 1,
      .scores = memcpy(room(5, scores * 4, c->edge), before, (size_t)scores * 4),
      .score_stride = score_stride};
}

// The run of key j, which becomes its number in the run.
static const struct CAttentionKernels_run *find_run(const struct CAttentionKernels_low_products *p,
                                                    ptrdiff_t *j) {
  const struct CAttentionKernels_run *run = p->runs;
  for (; *j >= run->count; run++)
    *j -= run->count;
  return run;
}

// Of every 480 columns the exact sum as a float, times the factors one by one.
static float expected_score(const struct CAttentionKernels_low_products *p, float before, ptrdiff_t r,
                            ptrdiff_t j) {
  const struct CAttentionKernels_run *run = find_run(p, &j);
  const int8_t *low = (const int8_t *)run->rows + p->low + j * p->row_stride;
  const int16_t *query = p->queries + r * p->query_stride;
  const float key_scale = ((const float *)run->scales)[j];
  float score = before;
  for (ptrdiff_t d = 0; d < p->columns;) {
    long long exact = 0;
    for (ptrdiff_t end = d + 480; d < end && d < p->columns; d++)
      exact += (long long)query[d] * low[d];
    // Rounded before it is added: no fma.
    const float product = (float)exact * (p->scale / 256) * p->query_scales[r] * key_scale;
    score += product;
  }
  return score;
}

static void check_products_of_case(products products, const struct low_case *c, struct random *random) {
  const struct CAttentionKernels_low_products p = products_of_case(c, random);
  const float *before = room_piece(6);
  begin_case("%td rows, %td of %td keys of %td columns, gap %td", c->rows, p.count, c->keys, c->columns,
             c->gap);
  products(&p);
  expect_untouched_around_room(5);
  for (ptrdiff_t r = 0; r < c->rows; r++)
    for (ptrdiff_t j = 0, next = 0; j < (r < c->rows - 1 ? p.score_stride : c->keys); j++) {
      const ptrdiff_t i = r * p.score_stride + j;
      const int is_chosen = next < p.count && p.chosen[next] == j;
      next += is_chosen;
      expect_equal_f32(i, p.scores[i], is_chosen ? expected_score(&p, before[i], r, j) : before[i]);
    }
}

static void check_products(products products) {
  static const ptrdiff_t more_columns[] = {96, 127, 128, 129, 255, 256, 479, 480, 481, 960, 1024},
                         counts[] = {1, 2, 5, 15, 16, 17, 33, 100, 1024, most_keys};
  enum { widths = 70 + sizeof more_columns / sizeof *more_columns, count_kinds = sizeof counts / sizeof *counts };
  struct random random = {41};
  ptrdiff_t turn = 0;
  FOR_EACH_EDGE (edge)
    for (int width = 0; width < widths; width++)
      for (int k = 0; k < count_kinds; k++, turn++) {
        struct low_case c = {.keys = counts[k],
                             .columns = width < 70 ? width + 1 : more_columns[width - 70],
                             .rows = turn * 7 % 9 + 1,
                             .gap = turn % 4 * 3,
                             .edge = edge,
                             .every = turn * 3 % 5,
                             .is_extreme = turn % 7 == 0};
        // Many keys take long, and other widths have them.
        if (c.keys > 1000 && width % 8 != 7)
          c.keys = 40 + width;
        check_products_of_case(products, &c, &random);
      }
}

#define SUBJECT "planes.c"
#include "both_precisions.h"

void check_planes(kernel_set *set) {
  check_loads_f32(BEGIN_ENTRY(set, f32.load_from_planes));
  check_loads_f64(BEGIN_ENTRY(set, f64.load_from_planes));
  check_products(BEGIN_ENTRY(set, products_from_low));
}

#else

static void P(check_loads)(load load) {
  struct random random = {40};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 6; turn++) {
        const ptrdiff_t low = make_planes(0, n, edge, &random);
        const int8_t *high = room_piece(0);
        SCALAR *target = room(2, n * (ptrdiff_t)sizeof *target, edge);
        const SCALAR factor = turn == 0  ? 1
                              : turn < 5 ? (SCALAR)random_between(&random, -4, 4)
                                         : P(anything)(&random);
        begin_case("n %td, factor %g", n, factor);
        load(target, high, low, n, factor);
        // The sum is exact.
        for (ptrdiff_t i = 0; i < n; i++)
          P(expect_equal)(i, target[i], (SCALAR)(high[i] + high[low + i] / 256.0) * factor);
        expect_untouched_around_room(2);
      }
}

#endif
