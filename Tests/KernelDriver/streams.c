// Products and sums with rows that are read once: against the double computation, and bit by bit against one
// row at a time.

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <math.h>
#include <string.h>

// Up to `most_count` every count, then some around the turns that kernels take.
enum { most_rows = 9, most_count = 40, longest = 130, most_columns = 128 };
static const ptrdiff_t long_counts[] = {63, 64, 65, longest};

// What each pair of sizes is run with, in turn: rows of queries, gaps of strides.
struct sizes {
  ptrdiff_t rows, count, columns, stride, row_stride, other_stride;
};

static struct sizes sizes_of(ptrdiff_t count, ptrdiff_t columns) {
  const ptrdiff_t turn = count * 5 + columns;
  return (struct sizes){1 + turn % most_rows, count, columns, columns + turn % 3, columns + turn % 2, count + turn % 4};
}

static ptrdiff_t span(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  return rows ? (rows - 1) * stride + columns : 0;
}

// Rows of the type that end where memory does. What follows them is anywhere: it is a hint.
static struct CAttentionKernels_stream stream_of(const struct storage *type, int number, enum edge edge,
                                                 const struct sizes *sizes, struct random *random) {
  const ptrdiff_t elements = span(sizes->count, sizes->stride, sizes->columns);
  void *rows = room(number, elements * type->size, edge);
  for (ptrdiff_t i = 0; i < elements; i++)
    store_value(type, rows, i, random_between(random, -2, 2));
  return (struct CAttentionKernels_stream){rows,        sizes->stride * type->size, sizes->count, sizes->columns,
                                           (void *)256, sizes->count % 7 * 64,      sizes->count * 3 % 50};
}

static float *floats(int number, enum edge edge, ptrdiff_t count, struct random *random) {
  float *x = room(number, count * (ptrdiff_t)sizeof(float), edge);
  for (ptrdiff_t i = 0; i < count; i++)
    x[i] = (float)random_between(random, -2, 2);
  return x;
}

static void check_products(void (*products)(const struct CAttentionKernels_products *), const struct storage *type,
                           const struct sizes *sizes, enum edge edge, struct random *random) {
  static float before[most_rows * (longest + 4)];
  const ptrdiff_t score_stride = sizes->other_stride;
  struct CAttentionKernels_products all = {
      .keys = stream_of(type, 0, edge, sizes, random),
      .queries = floats(1, edge, span(sizes->rows, sizes->row_stride, sizes->columns), random),
      .query_stride = sizes->row_stride,
      .query_count = sizes->rows,
      .scale = sizes->columns % 3 ? (float)random_between(random, -1, 1) : 1,
      .score_stride = score_stride};
  const ptrdiff_t scores = span(sizes->rows, score_stride, sizes->count);
  all.scores = floats(2, edge, sizes->count ? scores : 0, random);
  memcpy(before, all.scores, (size_t)(sizes->count ? scores : 0) * sizeof(float));
  begin_case("%td rows, %td of %td columns, strides %td, %td and %td", sizes->rows, sizes->count, sizes->columns,
             sizes->stride, sizes->row_stride, score_stride);
  products(&all);
  expect_untouched_around_room(2);
  for (ptrdiff_t r = 0; r < sizes->rows; r++)
    for (ptrdiff_t j = 0; j < sizes->count; j++) {
      const char *key = (const char *)all.keys.rows + j * all.keys.row_stride;
      const float *query = all.queries + r * all.query_stride;
      double sum = 0, size = 0;
      for (ptrdiff_t c = 0; c < sizes->columns; c++) {
        double product = query[c] * stored_value(type, key, c);
        sum += product, size += fabs(product);
      }
      const float got = all.scores[r * score_stride + j];
      // However they are added, each product meets no more roundings than there are columns, and its own and
      // the scale's.
      expect_within_f32(j, got, all.scale * sum, 0x1.01p-24 * (double)(sizes->columns + 2) * size * fabs(all.scale));
      // Alone, from memory of another alignment.
      struct CAttentionKernels_products one = all;
      char *rows = room(3, sizes->columns * type->size, edge);
      memcpy(rows, key, (size_t)(sizes->columns * type->size));
      one.queries = memcpy(room(4, sizes->columns * 4, edge), query, (size_t)sizes->columns * 4);
      one.keys.rows = rows;
      one.keys.count = one.query_count = 1;
      one.keys.next_count = 0;
      one.scores = room(5, sizeof(float), edge);
      products(&one);
      expect_equal_f32(j, got, one.scores[0]);
    }
  for (ptrdiff_t i = 0; sizes->count && i < scores; i++)
    if (i % score_stride >= sizes->count)
      expect_equal_f32(i, all.scores[i], before[i]);
}

static void check_sums(void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                       const struct sizes *sizes, enum edge edge, struct random *random) {
  static float before[most_rows * (most_columns + 2)];
  const ptrdiff_t outputs = span(sizes->rows, sizes->row_stride, sizes->columns);
  struct CAttentionKernels_sums all = {
      .values = stream_of(type, 0, edge, sizes, random),
      .weights = floats(1, edge, sizes->count ? span(sizes->rows, sizes->other_stride, sizes->count) : 0, random),
      .weight_stride = sizes->other_stride,
      .row_count = sizes->rows,
      .rescale = floats(2, edge, sizes->rows, random),
      .output = floats(3, edge, outputs, random),
      .output_stride = sizes->row_stride};
  memcpy(before, all.output, (size_t)outputs * sizeof(float));
  begin_case("%td rows, %td of %td columns, strides %td, %td and %td", sizes->rows, sizes->count, sizes->columns,
             sizes->stride, sizes->row_stride, sizes->other_stride);
  sums(&all);
  expect_untouched_around_room(3);
  for (ptrdiff_t r = 0; r < sizes->rows; r++) {
    const float *weights = all.weights + r * all.weight_stride, *old = before + r * all.output_stride;
    const float *got = all.output + r * all.output_stride;
    struct CAttentionKernels_sums one = all;
    one.row_count = 1;
    one.weights = weights;
    one.rescale = all.rescale + r;
    one.output = memcpy(room(4, sizes->columns * 4, edge), old, (size_t)sizes->columns * 4);
    sums(&one);
    for (ptrdiff_t c = 0; c < sizes->columns; c++) {
      double sum = (double)all.rescale[r] * old[c], size = fabs(sum);
      for (ptrdiff_t j = 0; j < sizes->count; j++) {
        double product = weights[j] * stored_value(type, (const char *)all.values.rows + j * all.values.row_stride, c);
        sum += product, size += fabs(product);
      }
      // A rounding for each value, one for each product where there is no fma.
      expect_within_f32(c, got[c], sum, 0x1.01p-24 * (double)(sizes->count + 1) * size);
      expect_equal_f32(c, got[c], one.output[c]);
    }
  }
  for (ptrdiff_t i = 0; i < outputs; i++)
    if (i % sizes->row_stride >= sizes->columns)
      expect_equal_f32(i, all.output[i], before[i]);
}

static void check_sizes(void (*products)(const struct CAttentionKernels_products *),
                        void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type,
                        struct sizes sizes, enum edge edge, struct random *random) {
  if (products)
    check_products(products, type, &sizes, edge, random);
  if (sums)
    check_sums(sums, type, &sizes, edge, random);
}

static void check_stream(void (*products)(const struct CAttentionKernels_products *),
                         void (*sums)(const struct CAttentionKernels_sums *), const struct storage *type) {
  struct random random = {31};
  FOR_EACH_EDGE (edge)
    for (ptrdiff_t columns = 1; columns <= most_columns; columns += columns < 70 ? 1 : 58) {
      for (ptrdiff_t count = 0; count <= most_count; count++)
        check_sizes(products, sums, type, sizes_of(count, columns), edge, &random);
      if (columns % 16 < 2)
        for (size_t i = 0; i < sizeof long_counts / sizeof *long_counts; i++)
          check_sizes(products, sums, type, sizes_of(long_counts[i], columns), edge, &random);
    }
}

void check_streams(kernel_set *set) {
  check_stream(BEGIN_ENTRY(set, products_from_f32), NULL, &storage_f32);
  check_stream(BEGIN_ENTRY(set, products_from_f16), NULL, &storage_f16);
  check_stream(BEGIN_ENTRY(set, products_from_bf16), NULL, &storage_bf16);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_f32), &storage_f32);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_f16), &storage_f16);
  check_stream(NULL, BEGIN_ENTRY(set, sums_from_bf16), &storage_bf16);
}
