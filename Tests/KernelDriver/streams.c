// Products and sums with rows that are read once: against the double computation, and bit by bit against one
// row at a time.

#include "stream_case.h"

#include <math.h>

static void begin_sizes(const struct sizes *s) {
  begin_case("%td rows of %td heads, %td of %td columns, strides %td, %td, %td and %td, of heads %td and %td", s->rows, s->heads,
             s->count, s->columns, s->stride, s->head_stride, s->row_stride, s->other_stride, s->work_stride, s->other_head_stride);
}

static void check_products(void (*products)(const struct CAttentionKernels_products *), const struct storage *type,
                           const struct storage *operand, const struct sizes *sizes, enum edge edge, struct random *random) {
  static float before[most_work];
  const ptrdiff_t score_stride = sizes->other_stride;
  struct CAttentionKernels_products all = {
      .keys = stream_of(type, 0, edge, sizes, random),
      .queries = operands(operand, 1, edge, span_of_heads(sizes, sizes->work_stride, sizes->row_stride, sizes->columns), random),
      .query_stride = sizes->row_stride,
      .query_count = sizes->rows,
      .scale = sizes->columns % 3 ? (float)random_between(random, -1, 1) : 1,
      .score_stride = score_stride,
      .work_stride = sizes->work_stride,
      .score_head_stride = sizes->other_head_stride};
  const ptrdiff_t scores = span_of_heads(sizes, sizes->other_head_stride, score_stride, sizes->count);
  all.scores = floats(2, edge, scores, random);
  memcpy(before, all.scores, (size_t)scores * sizeof(float));
  begin_sizes(sizes);
  products(&all);
  expect_untouched_around_room(2);
  if (is_cut(sizes)) {
    static float again[most_work];
    struct CAttentionKernels_run runs[longest];
    struct CAttentionKernels_products cut = all;
    cut_into_runs(&cut.keys, runs);
    cut.scores = memcpy(again, before, (size_t)scores * sizeof(float));
    products(&cut);
    expect_equal_integer(0, memcmp(again, all.scores, (size_t)scores * sizeof(float)), 0);
  }
  for (ptrdiff_t h = 0; h < sizes->heads; h++)
    for (ptrdiff_t r = 0; r < sizes->rows; r++)
      for (ptrdiff_t j = 0; j < sizes->count; j++) {
        const char *key = (const char *)all.keys.rows + h * all.keys.head_stride + j * all.keys.row_stride;
        const char *query = (const char *)((const float *)all.queries + h * all.work_stride) + r * all.query_stride * operand->size;
        double sum = 0, size = 0;
        for (ptrdiff_t c = 0; c < sizes->columns; c++) {
          double product = stored_value(operand, query, c) * stored_value(type, key, c);
          sum += product, size += fabs(product);
        }
        const float got = all.scores[h * all.score_head_stride + r * score_stride + j];
        // However they are added, each product meets no more roundings than there are columns, and its own and
        // the scale's.
        expect_within_f32(j, got, all.scale * sum, 0x1.01p-24 * (double)(sizes->columns + 2) * size * fabs(all.scale));
        // Alone, from memory of another alignment.
        struct CAttentionKernels_products one = all;
        char *rows = room(3, sizes->columns * type->size, edge);
        memcpy(rows, key, (size_t)(sizes->columns * type->size));
        one.queries = memcpy(room(4, sizes->columns * operand->size, edge), query, (size_t)(sizes->columns * operand->size));
        one.keys.rows = rows;
        one.keys.heads = one.keys.count = one.query_count = 1;
        one.keys.next_count = 0;
        one.scores = room(5, sizeof(float), edge);
        products(&one);
        expect_equal_f32(j, got, one.scores[0]);
      }
  for (ptrdiff_t i = 0; i < scores; i++)
    if (!is_place_of_work(sizes, i, all.score_head_stride, score_stride, sizes->count))
      expect_equal_f32(i, all.scores[i], before[i]);
}

static void check_sums(void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                       const struct sizes *sizes, enum edge edge, struct random *random) {
  static float before[most_work];
  const ptrdiff_t outputs = span_of_heads(sizes, sizes->work_stride, sizes->row_stride, sizes->columns);
  const ptrdiff_t weighted = span_of_heads(sizes, sizes->other_head_stride, sizes->other_stride, sizes->count);
  struct CAttentionKernels_sums all = {
      .values = stream_of(type, 0, edge, sizes, random),
      .weights = floats(1, edge, weighted, random),
      .weight_stride = sizes->other_stride,
      .row_count = sizes->rows,
      .rescale = sizes->count % 5 == 4 ? NULL : floats(2, edge, span_of_heads(sizes, sizes->work_stride, 1, 1), random),
      .output = floats(3, edge, outputs, random),
      .output_stride = sizes->row_stride,
      .work_stride = sizes->work_stride,
      .weight_head_stride = sizes->other_head_stride};
  memcpy(before, all.output, (size_t)outputs * sizeof(float));
  begin_sizes(sizes);
  sums(&all);
  expect_untouched_around_room(3);
  if (is_cut(sizes)) {
    static float again[most_work];
    struct CAttentionKernels_run runs[longest];
    struct CAttentionKernels_sums cut = all;
    cut_into_runs(&cut.values, runs);
    cut.output = memcpy(again, before, (size_t)outputs * sizeof(float));
    sums(&cut);
    expect_equal_integer(0, memcmp(again, all.output, (size_t)outputs * sizeof(float)), 0);
  }
  for (ptrdiff_t h = 0; h < sizes->heads; h++)
    for (ptrdiff_t r = 0; r < sizes->rows; r++) {
      const ptrdiff_t at = h * all.work_stride;
      const float *weights = all.weights + h * all.weight_head_stride + r * all.weight_stride;
      const float *old = before + at + r * all.output_stride;
      const float *got = all.output + at + r * all.output_stride;
      struct CAttentionKernels_sums one = all;
      one.values.heads = one.row_count = 1;
      one.values.rows = (const char *)all.values.rows + h * all.values.head_stride;
      one.weights = weights;
      one.rescale = all.rescale ? all.rescale + at + r : NULL;
      const double factor = all.rescale ? *one.rescale : 1;
      one.output = memcpy(room(4, sizes->columns * 4, edge), old, (size_t)sizes->columns * 4);
      sums(&one);
      for (ptrdiff_t c = 0; c < sizes->columns; c++) {
        double sum = factor * old[c], size = fabs(sum);
        for (ptrdiff_t j = 0; j < sizes->count; j++) {
          double product =
              weights[j] * stored_value(type, (const char *)one.values.rows + j * one.values.row_stride, c);
          sum += product, size += fabs(product);
        }
        // A rounding for each value, one for each product where there is no fma.
        expect_within_f32(c, got[c], sum, 0x1.01p-24 * (double)(sizes->count + 1) * size);
        expect_equal_f32(c, got[c], one.output[c]);
      }
    }
  for (ptrdiff_t i = 0; i < outputs; i++)
    if (!is_place_of_work(sizes, i, all.work_stride, all.output_stride, sizes->columns))
      expect_equal_f32(i, all.output[i], before[i]);
}

static void check_sizes(void (*products)(const struct CAttentionKernels_products *),
                        void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                        const struct storage *operand, struct sizes sizes, enum edge edge, struct random *random) {
  if (products)
    check_products(products, type, operand, &sizes, edge, random);
  if (sums)
    check_sums(sums, type, &sizes, edge, random);
}

// How many numbers are not finite outside a row and a column (-1 for none of them); -1 where one inside is finite.
static ptrdiff_t stray_poison(const float *x, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t bad_row, ptrdiff_t bad_column) {
  ptrdiff_t strays = 0;
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t c = 0; c < columns; c++) {
      const int is_hit = r == bad_row || c == bad_column;
      if (is_hit && isfinite(x[r * columns + c]))
        return -1;
      strays += !is_hit && !isfinite(x[r * columns + c]);
    }
  return strays;
}

// One NaN or infinity, in a key or a query, in a value or a weight: it reaches everything that depends on it, and nothing else.
static void check_poison(void (*products)(const struct CAttentionKernels_products *),
                         void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                         const struct storage *operand) {
  struct random random = {32};
  for (int turn = 0; turn < 2 * widths; turn++) {
    const float poison = turn < widths ? NAN : INFINITY;
    const ptrdiff_t columns = columns_at(turn % widths), rows = turn % most_rows + 1, count = turn * 13 % 70 + 1;
    const ptrdiff_t bad_row = turn % rows, bad_key = turn * 7 % count, bad_column = turn * 5 % columns;
    const struct sizes sizes = {.rows = rows, .count = count, .columns = columns, .heads = 1, .stride = columns};
    struct CAttentionKernels_stream stream = stream_of(type, 0, at_end, &sizes, &random);
    const ptrdiff_t place = bad_key * columns + bad_column;
    void *stored = (void *)stream.rows;
    // As queries, or as the outputs; as the scores, or as the weights.
    float *wide = floats(1, at_end, rows * columns, &random), *narrow = floats(2, at_end, rows * count, &random);
    if (products)
      wide = operands(operand, 1, at_end, (rows * columns * operand->size + 3) / 4, &random);
    const struct CAttentionKernels_products p = {.keys = stream, .queries = wide, .query_stride = columns, .query_count = rows,
                                                 .scale = 1, .scores = narrow, .score_stride = count};
    const struct CAttentionKernels_sums s = {.values = stream, .weights = narrow, .weight_stride = count, .row_count = rows,
                                             .output = wide, .output_stride = columns};
    begin_case("%g, %td rows, %td of %td columns", poison, rows, count, columns);
    store_value(type, stored, place, poison);
    if (products) {
      products(&p);
      expect_equal_integer(0, stray_poison(narrow, rows, count, -1, bad_key), 0);
      store_value(type, stored, place, 1);
      store_value(operand, wide, bad_row * columns + bad_column, poison);
      products(&p);
      expect_equal_integer(1, stray_poison(narrow, rows, count, bad_row, -1), 0);
      // Filling up the last vector adds no product of 0 and infinity.
      for (ptrdiff_t c = 0; c < columns; c++) {
        store_value(type, stored, bad_key * columns + c, -INFINITY);
        store_value(operand, wide, bad_row * columns + c, 2);
      }
      products(&p);
      expect_equal_f32(2, narrow[bad_row * count + bad_key], -INFINITY);
    } else {
      sums(&s);
      expect_equal_integer(3, stray_poison(wide, rows, columns, -1, bad_column), 0);
      store_value(type, stored, place, 1);
      floats(1, at_end, rows * columns, &random);
      narrow[bad_row * count + bad_key] = poison;
      sums(&s);
      expect_equal_integer(4, stray_poison(wide, rows, columns, bad_row, -1), 0);
    }
  }
}

static void check_stream(void (*products)(const struct CAttentionKernels_products *),
                         void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                         const struct storage *operand) {
  struct random random = {31};
  FOR_EACH_EDGE (edge)
    for (int width = 0; width < widths; width++) {
      const ptrdiff_t columns = columns_at(width);
      for (ptrdiff_t count = 0; count <= most_count; count++)
        check_sizes(products, sums, type, operand, sizes_of(count, columns), edge, &random);
      if (columns % 16 < 2)
        for (int i = 0; i < long_counts; i++)
          check_sizes(products, sums, type, operand, sizes_of(long_count_at(i), columns), edge, &random);
    }
  check_poison(products, sums, type, operand);
}

void check_streams(kernel_set *set) {
  check_stream(BEGIN_ENTRY(set, products_from_f32), NULL, &storage_f32, &storage_f32);
  check_stream(BEGIN_ENTRY(set, products_from_f16), NULL, &storage_f16, &storage_f32);
  check_stream(BEGIN_ENTRY(set, products_from_bf16), NULL, &storage_bf16, &storage_f32);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_f32), &storage_f32, &storage_f32);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_f16), &storage_f16, &storage_f32);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_bf16), &storage_bf16, &storage_f32);
  void (*products)(const struct CAttentionKernels_products *) = BEGIN_ENTRY(set, dot_products_from_bf16);
  begin_case("there where the CPU multiplies pairs");
  expect_equal_integer(0, products != NULL, set->dots_bf16_pairs);
  if (products)
    check_stream(products, NULL, &storage_bf16, &storage_bf16);
}
