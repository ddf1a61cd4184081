// Scores of queries of int16 with keys of int8. Integers add up exactly: every set gives the bits of the definition.

#include "integer_case.h"

#include <math.h>

typedef void (*products)(const struct CAttentionKernels_products *);

// Sums of 480 products as floats, then the three scales.
static float expected_score(const struct integer_case *c, const int16_t *query, float query_scale, float scale, ptrdiff_t h,
                            ptrdiff_t j) {
  float total = 0;
  for (ptrdiff_t d = 0; d < c->stream.columns;) {
    long long exact = 0;
    for (ptrdiff_t end = d + 480; d < end && d < c->stream.columns; d++)
      exact += (long long)query[d] * integer_of(c, h, j, d);
    total += (float)exact;
  }
  return total * scale * query_scale * scale_of(c, h, j, 0);
}

static void check_case(products products, struct integer_case *c, int extreme, enum edge edge, struct random *random) {
  const ptrdiff_t columns = c->stream.columns, count = c->stream.count, scores = c->heads * c->other_head_stride, inputs = c->heads * c->work_stride;
  struct CAttentionKernels_products all = {
      .keys = c->stream,
      .query_stride = columns + c->gap,
      .query_count = c->rows,
      .query_scales = random_floats(9, edge, (c->heads - 1) * c->work_stride + c->rows, random),
      .scale = columns % 3 ? (float)random_between(random, -1, 1) : 1,
      .scores = random_floats(3, edge, scores, random),
      .score_stride = (count ? count : 1) + c->gap,
      .work_stride = c->work_stride,
      .score_head_stride = c->other_head_stride};
  int16_t *queries = room(2, inputs * 4, edge);
  for (ptrdiff_t i = 0; i < inputs * 2; i++)
    queries[i] = extreme ? (int16_t)(extreme > 1 ? 32767 : -32768) : (int16_t)random_bits(random);
  all.queries = queries;
  float *before = room(4, scores * 4, edge);
  memcpy(before, all.scores, (size_t)scores * 4);
  begin_integer_case(c);
  products(&all);
  expect_untouched_around_room(3);
  for (ptrdiff_t h = 0; h < c->heads; h++)
    for (ptrdiff_t i = 0; i < all.score_head_stride; i++) {
      const ptrdiff_t r = i / all.score_stride, j = i % all.score_stride, at = h * all.score_head_stride + i;
      float expected = before[at];
      if (r < c->rows && j < count) {
        const int16_t *query = queries + 2 * h * c->work_stride + r * all.query_stride;
        expected = expected_score(c, query, all.query_scales[h * c->work_stride + r], all.scale, h, j);
      }
      expect_equal_f32(at, all.scores[at], expected);
    }
}

void check_integer_scores(kernel_set *set) {
  static const ptrdiff_t long_rows[] = {479, 480, 481, 510, 511, 512, 513, 960, 961, 8160, 8192, 16383, 16384, 16385, 70001};
  struct random random = {35};
  products products = BEGIN_ENTRY(set, dot_products_from_i8);
  FOR_EACH_EDGE (edge) {
    FOR_EACH_INTEGER_SIZE (count, columns) {
      struct integer_case c = integer_case_of(0, count, columns, edge, &random);
      check_case(products, &c, 0, edge, &random);
    }
    for (size_t i = 0; i < sizeof long_rows / sizeof *long_rows; i++)
      for (int extreme = 0; extreme < 3; extreme++) {
        struct integer_case c = integer_case_of(0, 3, long_rows[i], edge, &random);
        for (ptrdiff_t h = 0; h < c.heads && extreme; h++)
          for (ptrdiff_t j = 0; j < 3; j++)
            for (ptrdiff_t d = 0; d < long_rows[i]; d++)
              set_integer(&c, h, j, d, -128);
        check_case(products, &c, extreme, edge, &random);
      }
  }
  // Scales that are none: they reach their own key.
  static const float scales[] = {NAN, INFINITY, -INFINITY, 0, 0x1p-149f, 3e38f};
  for (ptrdiff_t turn = 0; turn < 600; turn++) {
    struct integer_case c = integer_case_of(0, turn % 40 + 1, turn % 150 + 1, at_end, &random);
    set_scale(&c, c.heads - 1, turn * 7 % c.stream.count, 0, scales[turn % 6]);
    check_case(products, &c, 0, at_end, &random);
  }
}
