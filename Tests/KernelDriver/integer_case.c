// See integer_case.h.

#include "integer_case.h"

ptrdiff_t integer_columns_at(int index) {
  static const ptrdiff_t wide[integer_widths - 70] = {80, 95, 96, 97, 112, 127, 128, 129, 144, 160, 191, 192, 256};
  return index < 70 ? index + 1 : wide[index - 70];
}

ptrdiff_t integer_count_at(int index) {
  static const ptrdiff_t counts[integer_counts] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12, 13, 15,
                                                   16, 17, 18, 19, 23, 31, 32, 33, 40, 63, 64, 65, 130};
  return counts[index];
}

static ptrdiff_t row_bytes(const struct integer_case *c) {
  return c->is_i4 ? i4_row_bytes(c->stream.columns) : c->stream.columns;
}

static char *row_at(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i) {
  return (char *)c->stream.rows + h * c->stream.head_stride + i * c->stream.row_stride;
}

struct integer_case integer_case_of(int is_i4, ptrdiff_t count, ptrdiff_t columns, enum edge edge, struct random *random) {
  static const ptrdiff_t heads_of[] = {1, 2, 1, 3, CAttentionKernels_most_heads, 1, 5};
  const ptrdiff_t turn = count * 5 + columns, gap = turn % 3;
  struct integer_case c = {.is_i4 = is_i4, .rows = 1 + turn % 9, .heads = heads_of[turn % 7], .gap = gap};
  // More than two rows of many heads take long, and other turns have them.
  if (count > 40 && c.heads > 2)
    c.heads = 2;
  const ptrdiff_t wide = c.rows * (columns + gap), narrow = c.rows * (count + gap);
  c.work_stride = wide + turn % 5;
  c.other_head_stride = narrow + 1 + turn % 11;
  if (turn % 3 == 0)
    c.work_stride = c.other_head_stride = (wide > narrow ? wide : narrow) + turn % 5;
  struct CAttentionKernels_stream *s = &c.stream;
  *s = (struct CAttentionKernels_stream){.count = count, .columns = columns, .heads = c.heads, .distance = count % 5 * 16, .next = (void *)256,
                                         .next_stride = count % 7 * 64, .next_count = count * 3 % 50, .is_short = count % 3 == 0};
  const ptrdiff_t bytes = row_bytes(&c), more = is_i4 ? 4 * gap : gap;
  if (turn % 4) {
    s->head_stride = bytes + more, s->row_stride = c.heads * s->head_stride + more;
    s->scale_head_stride = 4, s->scale_stride = 4 * (c.heads + gap);
  } else {
    s->row_stride = bytes + more, s->head_stride = count * s->row_stride + more;
    s->scale_stride = turn % 8 ? 4 : 12, s->scale_head_stride = count * s->scale_stride + 4;
  }
  const ptrdiff_t rows = count ? (count - 1) * s->row_stride + (c.heads - 1) * s->head_stride + bytes : 0;
  const ptrdiff_t scales = count ? (count - 1) * s->scale_stride + (c.heads - 1) * s->scale_head_stride + 4 : 0;
  unsigned char *all = room(0, rows, edge);
  for (ptrdiff_t i = 0; i < rows; i++)
    all[i] = (unsigned char)(turn % 6 ? random_bits(random) : is_i4 ? 0x88 : 0x80);
  s->rows = all;
  if (!is_i4) {
    float *numbers = room(1, scales, edge);
    for (ptrdiff_t i = 0; i < scales / 4; i++)
      numbers[i] = turn % 11 ? (float)random_between(random, -0.02, 0.02) : 0;
    s->scales = numbers;
  } else
    for (ptrdiff_t h = 0; h < c.heads; h++)
      for (ptrdiff_t i = 0; i < count; i++)
        for (ptrdiff_t d = 0; d < columns; d += 32) {
          fill_i4_block(row_at(&c, h, i), d, turn % 11 ? (float)random_between(random, -0.3, 0.3) : 0, random);
          for (ptrdiff_t hidden = columns; hidden < d + 32; hidden++)
            set_i4(row_at(&c, h, i), hidden, 0);
        }
  return c;
}

void begin_integer_case(const struct integer_case *c) {
  begin_case("%td rows of %td heads, %td of %td columns, strides %td and %td, of scales %td", c->rows, c->heads, c->stream.count,
             c->stream.columns, c->stream.row_stride, c->stream.head_stride, c->stream.scale_stride);
}

int integer_of(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d) {
  return c->is_i4 ? i4_at(row_at(c, h, i), d) : ((const int8_t *)row_at(c, h, i))[d];
}

static char *scale_at(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d) {
  return c->is_i4 ? row_at(c, h, i) + d / 32 * 20
                  : (char *)c->stream.scales + h * c->stream.scale_head_stride + i * c->stream.scale_stride;
}

float scale_of(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d) {
  float scale;
  memcpy(&scale, scale_at(c, h, i, d), sizeof scale);
  return scale;
}

double integer_value(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d) {
  return (double)integer_of(c, h, i, d) * scale_of(c, h, i, d);
}

void set_integer(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d, int integer) {
  if (c->is_i4)
    set_i4(row_at(c, h, i), d, integer);
  else
    row_at(c, h, i)[d] = (char)integer;
}

void set_scale(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d, float scale) {
  memcpy(scale_at(c, h, i, d), &scale, sizeof scale);
}

struct CAttentionKernels_stream one_row_elsewhere(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, int number,
                                                  enum edge edge) {
  struct CAttentionKernels_stream one = c->stream;
  one.rows = memcpy(room(number, row_bytes(c), edge), row_at(c, h, i), (size_t)row_bytes(c));
  if (!c->is_i4)
    one.scales = memcpy(room(number + 1, 4, edge), scale_at(c, h, i, 0), 4);
  one.heads = one.count = 1;
  one.next_count = 0;
  return one;
}

float *random_floats(int number, enum edge edge, ptrdiff_t count, struct random *random) {
  float *x = room(number, count * 4, edge);
  for (ptrdiff_t i = 0; i < count; i++)
    x[i] = (float)random_between(random, -2, 2);
  return x;
}
