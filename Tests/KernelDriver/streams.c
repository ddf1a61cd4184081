// Products and sums with rows that are read once: against the double computation, and bit by bit against one
// row at a time.

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <math.h>
#include <string.h>

// Up to `most_count` every count, then some around the turns that kernels take.
enum { most_rows = 9, most_count = 40, longest = 130, most_columns = 190 };
static const ptrdiff_t long_counts[] = {63, 64, 65, longest};
// Up to 70 every width, then some around those that outputs are computed in at a time.
static const ptrdiff_t wide_columns[] = {127, 128, 129, 140, most_columns};

static ptrdiff_t columns_at(int index) { return index < 70 ? index + 1 : wide_columns[index - 70]; }
enum {
  widths = 70 + sizeof wide_columns / sizeof *wide_columns,
  most_work = CAttentionKernels_most_heads * (most_rows * (most_columns + 4) + 5),
};

// What each pair of sizes is run with, in turn: rows of queries, heads, gaps of strides. Heads lie side by side in a row, or one behind the
// other.
struct sizes {
  ptrdiff_t rows, count, columns, heads, stride, head_stride, row_stride, other_stride, work_stride;
};

static struct sizes sizes_of(ptrdiff_t count, ptrdiff_t columns) {
  static const ptrdiff_t heads_of[] = {1, 2, 1, 3, CAttentionKernels_most_heads, 1, 5};
  const ptrdiff_t turn = count * 5 + columns, heads = heads_of[turn % 7], gap = turn % 3;
  struct sizes sizes = {.rows = 1 + turn % most_rows,
                        .count = count,
                        .columns = columns,
                        .heads = heads,
                        .row_stride = columns + turn % 2,
                        .other_stride = count + turn % 4};
  if (turn % 4) {
    sizes.head_stride = columns + turn % 2;
    sizes.stride = heads * sizes.head_stride + gap;
  } else {
    sizes.stride = columns + gap;
    sizes.head_stride = count * sizes.stride + gap;
  }
  const ptrdiff_t wide = sizes.rows * sizes.row_stride, narrow = sizes.rows * sizes.other_stride;
  sizes.work_stride = (wide > narrow ? wide : narrow) + turn % 5;
  return sizes;
}

static ptrdiff_t span(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  return rows ? (rows - 1) * stride + columns : 0;
}

// As much as rows of all heads take.
static ptrdiff_t span_of_work(const struct sizes *sizes, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  return (sizes->heads - 1) * sizes->work_stride + span(rows, stride, columns);
}

// Rows of the type that end where memory does. What follows them is anywhere: it is a hint.
static struct CAttentionKernels_stream stream_of(const struct storage *type, int number, enum edge edge,
                                                 const struct sizes *sizes, struct random *random) {
  const ptrdiff_t elements =
      sizes->count ? (sizes->heads - 1) * sizes->head_stride + span(sizes->count, sizes->stride, sizes->columns) : 0;
  void *rows = room(number, elements * type->size, edge);
  for (ptrdiff_t i = 0; i < elements; i++)
    store_value(type, rows, i, random_between(random, -2, 2));
  return (struct CAttentionKernels_stream){.rows = rows,
                                           .row_stride = sizes->stride * type->size,
                                           .count = sizes->count,
                                           .columns = sizes->columns,
                                           .heads = sizes->heads,
                                           .head_stride = sizes->head_stride * type->size,
                                           .distance = sizes->count % 5 * 16,
                                           .next = (void *)256,
                                           .next_stride = sizes->count % 7 * 64,
                                           .next_count = sizes->count * 3 % 50,
                                           .is_short = sizes->count % 3 == 0};
}

// Sizes that are run once more with their rows as a list of runs: every third, of any number of heads and rows.
static int is_cut(const struct sizes *sizes) { return (sizes->count + sizes->columns) % 3 == 0; }

// The same rows as a list of runs of different lengths, each with some hint of its own.
static void cut_into_runs(struct CAttentionKernels_stream *stream, struct CAttentionKernels_run runs[longest]) {
  const ptrdiff_t count = stream->count;
  ptrdiff_t used = 0;
  for (ptrdiff_t i = 0, n; i < count; i += n, used++) {
    n = 1 + (used * 23 + count * 5) % 37;
    n = n < count - i ? n : count - i;
    runs[used] = (struct CAttentionKernels_run){.rows = (const char *)stream->rows + i * stream->row_stride,
                                                .count = n,
                                                .next = (void *)512,
                                                .next_stride = used % 3 * 64,
                                                .next_count = used * 5 % 20,
                                                .is_short = used % 2 == 0};
  }
  if (used == 0)
    return;
  stream->count = runs[0].count;
  stream->more = runs + 1;
  stream->more_count = used - 1;
}

static float *floats(int number, enum edge edge, ptrdiff_t count, struct random *random) {
  float *x = room(number, count * (ptrdiff_t)sizeof(float), edge);
  for (ptrdiff_t i = 0; i < count; i++)
    x[i] = (float)random_between(random, -2, 2);
  return x;
}

// Queries: floats, or bf16 for dots of pairs.
static float *operands(const struct storage *operand, int number, enum edge edge, ptrdiff_t count, struct random *random) {
  float *x = floats(number, edge, count, random);
  const ptrdiff_t elements = count * (ptrdiff_t)sizeof(float) / operand->size;
  for (ptrdiff_t i = 0; i < elements && operand->size < (ptrdiff_t)sizeof(float); i++)
    store_value(operand, x, i, random_between(random, -2, 2));
  return x;
}

static void check_products(void (*products)(const struct CAttentionKernels_products *), const struct storage *type,
                           const struct storage *operand, const struct sizes *sizes, enum edge edge, struct random *random) {
  static float before[most_work];
  const ptrdiff_t score_stride = sizes->other_stride;
  struct CAttentionKernels_products all = {
      .keys = stream_of(type, 0, edge, sizes, random),
      .queries = operands(operand, 1, edge, span_of_work(sizes, sizes->rows, sizes->row_stride, sizes->columns), random),
      .query_stride = sizes->row_stride,
      .query_count = sizes->rows,
      .scale = sizes->columns % 3 ? (float)random_between(random, -1, 1) : 1,
      .score_stride = score_stride,
      .work_stride = sizes->work_stride};
  const ptrdiff_t scores = sizes->count ? span_of_work(sizes, sizes->rows, score_stride, sizes->count) : 0;
  all.scores = floats(2, edge, scores, random);
  memcpy(before, all.scores, (size_t)scores * sizeof(float));
  begin_case("%td rows of %td heads, %td of %td columns, strides %td, %td, %td and %td", sizes->rows, sizes->heads,
             sizes->count, sizes->columns, sizes->stride, sizes->head_stride, sizes->row_stride, score_stride);
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
        const float got = all.scores[h * all.work_stride + r * score_stride + j];
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
  for (ptrdiff_t i = 0; i < scores; i++) {
    const ptrdiff_t place = i % sizes->work_stride;
    if (place >= sizes->rows * score_stride || place % score_stride >= sizes->count)
      expect_equal_f32(i, all.scores[i], before[i]);
  }
}

static void check_sums(void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                       const struct sizes *sizes, enum edge edge, struct random *random) {
  static float before[most_work];
  const ptrdiff_t outputs = span_of_work(sizes, sizes->rows, sizes->row_stride, sizes->columns);
  const ptrdiff_t weighted = sizes->count ? span_of_work(sizes, sizes->rows, sizes->other_stride, sizes->count) : 0;
  struct CAttentionKernels_sums all = {
      .values = stream_of(type, 0, edge, sizes, random),
      .weights = floats(1, edge, weighted, random),
      .weight_stride = sizes->other_stride,
      .row_count = sizes->rows,
      .rescale = sizes->count % 5 == 4 ? NULL : floats(2, edge, span_of_work(sizes, sizes->rows, 1, 1), random),
      .output = floats(3, edge, outputs, random),
      .output_stride = sizes->row_stride,
      .work_stride = sizes->work_stride};
  memcpy(before, all.output, (size_t)outputs * sizeof(float));
  begin_case("%td rows of %td heads, %td of %td columns, strides %td, %td, %td and %td", sizes->rows, sizes->heads,
             sizes->count, sizes->columns, sizes->stride, sizes->head_stride, sizes->row_stride, sizes->other_stride);
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
      const float *weights = all.weights + at + r * all.weight_stride, *old = before + at + r * all.output_stride;
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
  for (ptrdiff_t i = 0; i < outputs; i++) {
    const ptrdiff_t place = i % sizes->work_stride;
    if (place >= sizes->rows * sizes->row_stride || place % sizes->row_stride >= sizes->columns)
      expect_equal_f32(i, all.output[i], before[i]);
  }
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
    const struct sizes sizes = {rows, count, columns, 1, columns, 0, columns, count, 0};
    struct CAttentionKernels_stream stream = stream_of(type, 0, at_end, &sizes, &random);
    const ptrdiff_t place = bad_key * columns + bad_column;
    void *stored = (void *)stream.rows;
    // As queries, or as the outputs; as the scores, or as the weights.
    float *wide = floats(1, at_end, rows * columns, &random), *narrow = floats(2, at_end, rows * count, &random);
    if (products)
      wide = operands(operand, 1, at_end, (rows * columns * operand->size + 3) / 4, &random);
    const struct CAttentionKernels_products p = {stream, wide, columns, rows, NULL, 1, narrow, count, 0};
    const struct CAttentionKernels_sums s = {stream, narrow, count, rows, NULL, wide, columns, 0};
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
        for (size_t i = 0; i < sizeof long_counts / sizeof *long_counts; i++)
          check_sizes(products, sums, type, operand, sizes_of(long_counts[i], columns), edge, &random);
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
