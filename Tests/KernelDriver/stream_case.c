// See stream_case.h.

#include "stream_case.h"

ptrdiff_t long_count_at(int index) {
  static const ptrdiff_t counts[long_counts] = {63, 64, 65, longest};
  return counts[index];
}

ptrdiff_t columns_at(int index) {
  static const ptrdiff_t wide[widths - 70] = {127, 128, 129, 140, most_columns};
  return index < 70 ? index + 1 : wide[index - 70];
}

struct sizes sizes_of(ptrdiff_t count, ptrdiff_t columns) {
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
  sizes.work_stride = wide + turn % 5;
  sizes.other_head_stride = narrow + turn % 11;
  if (turn % 3 == 0)
    sizes.work_stride = sizes.other_head_stride = (wide > narrow ? wide : narrow) + turn % 5;
  return sizes;
}

static ptrdiff_t span(ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  return rows && columns ? (rows - 1) * stride + columns : 0;
}

ptrdiff_t span_of_heads(const struct sizes *sizes, ptrdiff_t head_stride, ptrdiff_t stride, ptrdiff_t columns) {
  return columns ? (sizes->heads - 1) * head_stride + span(sizes->rows, stride, columns) : 0;
}

int is_place_of_work(const struct sizes *sizes, ptrdiff_t place, ptrdiff_t head_stride, ptrdiff_t stride, ptrdiff_t columns) {
  const ptrdiff_t in_head = place % head_stride;
  return in_head < sizes->rows * stride && in_head % stride < columns;
}

struct CAttentionKernels_stream stream_of(const struct storage *type, int number, enum edge edge, const struct sizes *sizes,
                                          struct random *random) {
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

int is_cut(const struct sizes *sizes) { return (sizes->count + sizes->columns) % 3 == 0; }

void cut_into_runs(struct CAttentionKernels_stream *stream, struct CAttentionKernels_run runs[longest]) {
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

float *floats(int number, enum edge edge, ptrdiff_t count, struct random *random) {
  float *x = room(number, count * (ptrdiff_t)sizeof(float), edge);
  for (ptrdiff_t i = 0; i < count; i++)
    x[i] = (float)random_between(random, -2, 2);
  return x;
}

float *operands(const struct storage *operand, int number, enum edge edge, ptrdiff_t count, struct random *random) {
  float *x = floats(number, edge, count, random);
  const ptrdiff_t elements = count * (ptrdiff_t)sizeof(float) / operand->size;
  for (ptrdiff_t i = 0; i < elements && operand->size < (ptrdiff_t)sizeof(float); i++)
    store_value(operand, x, i, random_between(random, -2, 2));
  return x;
}
