// Products and sums of floats with rows of integers that are read once: against the double computation, and bit by bit against one row at
// a time.

#include "integer_case.h"

#include <math.h>

static void check_products(void (*products)(const struct CAttentionKernels_products *), int is_i4, ptrdiff_t count,
                           ptrdiff_t columns, enum edge edge, struct random *random) {
  struct integer_case c = integer_case_of(is_i4, count, columns, edge, random);
  const ptrdiff_t scores = c.heads * c.other_head_stride;
  struct CAttentionKernels_products all = {
      .keys = c.stream,
      .queries = random_floats(2, edge, c.heads * c.work_stride, random),
      .query_stride = columns + c.gap,
      .query_count = c.rows,
      .scale = columns % 3 ? (float)random_between(random, -1, 1) : 1,
      .scores = random_floats(3, edge, scores, random),
      .score_stride = (count ? count : 1) + c.gap,
      .work_stride = c.work_stride,
      .score_head_stride = c.other_head_stride};
  float *before = room(4, scores * 4, edge);
  memcpy(before, all.scores, (size_t)scores * 4);
  begin_integer_case(&c);
  products(&all);
  expect_untouched_around_room(3);
  for (ptrdiff_t h = 0; h < c.heads; h++)
    for (ptrdiff_t i = 0; i < c.other_head_stride; i++) {
      const ptrdiff_t r = i / all.score_stride, j = i % all.score_stride, at = h * c.other_head_stride + i;
      if (r >= c.rows || j >= count) {
        expect_equal_f32(at, all.scores[at], before[at]);
        continue;
      }
      const float *query = (const float *)all.queries + h * c.work_stride + r * all.query_stride;
      double sum = 0, size = 0;
      for (ptrdiff_t d = 0; d < columns; d++) {
        const double product = query[d] * integer_value(&c, h, j, d);
        sum += product, size += fabs(product);
      }
      // A rounding for each sum and product, and for each scale.
      expect_within_f32(at, all.scores[at], all.scale * sum, 0x1.01p-24 * (double)(columns + 3) * size * fabs(all.scale));
      struct CAttentionKernels_products one = all;
      one.keys = one_row_elsewhere(&c, h, j, 5, edge);
      one.queries = memcpy(room(7, columns * 4, edge), query, (size_t)columns * 4);
      one.query_count = 1;
      one.scores = room(8, sizeof(float), edge);
      products(&one);
      expect_equal_f32(at, all.scores[at], one.scores[0]);
    }
}

static void check_sums(void (*sums)(const struct CAttentionKernels_sums *), int is_i4, ptrdiff_t count, ptrdiff_t columns,
                       enum edge edge, struct random *random) {
  struct integer_case c = integer_case_of(is_i4, count, columns, edge, random);
  const ptrdiff_t outputs = c.heads * c.work_stride;
  struct CAttentionKernels_sums all = {
      .values = c.stream,
      .weights = random_floats(2, edge, c.heads * c.other_head_stride, random),
      .weight_stride = count + c.gap,
      .row_count = c.rows,
      .rescale = count % 5 == 4 ? NULL : random_floats(9, edge, outputs, random),
      .output = random_floats(3, edge, outputs, random),
      .output_stride = columns + c.gap,
      .work_stride = c.work_stride,
      .weight_head_stride = c.other_head_stride};
  float *before = room(4, outputs * 4, edge);
  memcpy(before, all.output, (size_t)outputs * 4);
  begin_integer_case(&c);
  sums(&all);
  expect_untouched_around_room(3);
  for (ptrdiff_t h = 0; h < c.heads; h++)
    for (ptrdiff_t i = 0; i < c.work_stride; i++) {
      const ptrdiff_t r = i / all.output_stride, d = i % all.output_stride, at = h * c.work_stride + i;
      if (r >= c.rows || d >= columns) {
        expect_equal_f32(at, all.output[at], before[at]);
        continue;
      }
      const float *weights = all.weights + h * c.other_head_stride + r * all.weight_stride;
      if (d == 0) {
        struct CAttentionKernels_sums one = all;
        one.values.heads = one.row_count = 1;
        one.values.rows = (const char *)c.stream.rows + h * c.stream.head_stride;
        if (!is_i4)
          one.values.scales = (const char *)c.stream.scales + h * c.stream.scale_head_stride;
        one.weights = weights;
        one.rescale = all.rescale ? all.rescale + h * c.work_stride + r : NULL;
        one.output = memcpy(room(8, columns * 4, edge), before + at, (size_t)columns * 4);
        sums(&one);
        for (ptrdiff_t k = 0; k < columns; k++)
          expect_equal_f32(at + k, all.output[at + k], one.output[k]);
      }
      double sum = before[at] * (all.rescale ? (double)all.rescale[h * c.work_stride + r] : 1), size = fabs(sum);
      for (ptrdiff_t j = 0; j < count; j++) {
        const double product = weights[j] * integer_value(&c, h, j, d);
        sum += product, size += fabs(product);
      }
      // A rounding for each value, for its scale, and for its product where there is no fma.
      expect_within_f32(at, all.output[at], sum, 0x1.01p-24 * (double)(count + 2) * size);
    }
}

// A scale that is none, in one row (of int4: in its last block): it reaches everything that depends on it, and nothing else.
static void check_poison(void (*products)(const struct CAttentionKernels_products *),
                         void (*sums)(const struct CAttentionKernels_sums *), int is_i4) {
  struct random random = {34};
  for (ptrdiff_t turn = 0; turn < 300; turn++) {
    const float poison = turn % 2 ? NAN : INFINITY;
    const ptrdiff_t columns = turn % 100 + 1, count = turn * 13 % 70 + 1, bad = turn * 7 % count, rows = turn % 9 + 1;
    struct integer_case c = integer_case_of(is_i4, count, columns, at_end, &random);
    const ptrdiff_t first = is_i4 ? (columns - 1) / 32 * 32 : 0;
    for (ptrdiff_t d = first; d < columns; d++)
      set_integer(&c, 0, bad, d, 7);
    set_scale(&c, 0, bad, columns - 1, poison);
    c.stream.heads = 1;
    float *wide = random_floats(2, at_end, rows * columns, &random), *narrow = random_floats(3, at_end, rows * count, &random);
    const struct CAttentionKernels_products p = {.keys = c.stream, .queries = wide, .query_stride = columns, .query_count = rows, .scale = 1, .scores = narrow, .score_stride = count};
    const struct CAttentionKernels_sums s = {.values = c.stream, .weights = narrow, .weight_stride = count, .row_count = rows, .output = wide, .output_stride = columns};
    begin_integer_case(&c);
    if (products) {
      // Filling up the last vector, and what is hidden in the last block, add no product of 0 and infinity.
      for (ptrdiff_t i = 0; i < rows * columns; i++)
        wide[i] = 2;
      products(&p);
      for (ptrdiff_t i = 0; i < rows * count; i++)
        expect_equal_integer(i, i % count != bad ? isfinite(narrow[i]) != 0 : isnan(poison) ? isnan(narrow[i]) != 0 : narrow[i] == INFINITY, 1);
    } else {
      for (ptrdiff_t i = 0; i < rows * count; i++)
        narrow[i] = 1;
      sums(&s);
      for (ptrdiff_t i = 0; i < rows * columns; i++)
        expect_equal_integer(i, i % columns < first ? isfinite(wide[i]) != 0 : isnan(poison) ? isnan(wide[i]) != 0 : wide[i] == INFINITY, 1);
    }
  }
}

static void check_stream(void (*products)(const struct CAttentionKernels_products *),
                         void (*sums)(const struct CAttentionKernels_sums *), int is_i4) {
  struct random random = {33};
  FOR_EACH_EDGE (edge)
    FOR_EACH_INTEGER_SIZE (count, columns) {
      if (products)
        check_products(products, is_i4, count, columns, edge, &random);
      else
        check_sums(sums, is_i4, count, columns, edge, &random);
    }
  check_poison(products, sums, is_i4);
}

void check_integer_streams(kernel_set *set) {
  check_stream(BEGIN_ENTRY(set, products_from_i8), NULL, 0);
  check_stream(BEGIN_ENTRY(set, products_from_i4), NULL, 1);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_i8), 0);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_i4), 1);
}
