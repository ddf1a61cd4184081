// Rotation of pairs, of every storage type: two products and a sum, each rounded, and once more to the type.
// The same bits from every set.

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <math.h>
#include <string.h>

// How a case lays out its rows: token-major or head-major, with gaps, from one place to another or in place.
struct layout {
  ptrdiff_t heads, rows, rows_per_turn, pairs, columns;
  // In elements; a step of -1 walks the tables backwards, 0 stays.
  ptrdiff_t source_column_stride, target_column_stride, table_step;
  int is_interleaved, is_token_major, is_in_place;
};

static ptrdiff_t row_length(const struct layout *l, ptrdiff_t column_stride) {
  return l->columns * column_stride + 3;
}

static ptrdiff_t row_start(const struct layout *l, ptrdiff_t head, ptrdiff_t row, ptrdiff_t column_stride) {
  return (l->is_token_major ? row * l->heads + head : head * l->rows + row) * row_length(l, column_stride);
}

// Without the gap behind the last column of the last row.
static ptrdiff_t elements(const struct layout *l, ptrdiff_t column_stride) {
  return l->columns
             ? row_start(l, l->heads - 1, l->rows - 1, column_stride) + (l->columns - 1) * column_stride + 1
             : 0;
}

struct pair {
  double first, second;
};

// No expression has both a product and a sum: a compiler may not fuse them.
static struct pair rotate_pair(const struct storage *type, struct pair p, double c, double s) {
  const double x = p.first, y = p.second;
  if (type == &storage_f64) {
    double xc = x * c, ys = y * s, yc = y * c, xs = x * s;
    return (struct pair){xc - ys, yc + xs};
  }
  float xc = (float)x * (float)c, ys = (float)y * (float)s, yc = (float)y * (float)c,
        xs = (float)x * (float)s;
  return (struct pair){xc - ys, yc + xs};
}

static void expect_rotated(const struct storage *type, const struct layout *l, const void *source,
                           void *expected, const void *cosines, const void *sines) {
  const struct storage *table = type == &storage_f64 ? &storage_f64 : &storage_f32;
  for (ptrdiff_t head = 0; head < l->heads; head++) {
    for (ptrdiff_t row = 0; row < l->rows; row++) {
      const ptrdiff_t from = row_start(l, head, row, l->source_column_stride);
      const ptrdiff_t to = row_start(l, head, row, l->target_column_stride);
      for (ptrdiff_t i = 0; i < l->pairs; i++) {
        const ptrdiff_t first = l->is_interleaved ? 2 * i : i,
                        second = l->is_interleaved ? 2 * i + 1 : l->pairs + i;
        // The rows of the two tables lie apart differently.
        const double c = stored_value(table, cosines, row * l->table_step * (l->pairs + 2) + i);
        const double s = stored_value(table, sines, row * l->table_step * (l->pairs + 1) + i);
        const struct pair plain = {stored_value(type, source, from + first * l->source_column_stride),
                                   stored_value(type, source, from + second * l->source_column_stride)};
        const struct pair turned = rotate_pair(type, plain, c, s);
        store_value(type, expected, to + first * l->target_column_stride, turned.first);
        store_value(type, expected, to + second * l->target_column_stride, turned.second);
      }
      for (ptrdiff_t i = 2 * l->pairs; i < l->columns; i++)
        memcpy((char *)expected + (to + i * l->target_column_stride) * type->size,
               (const char *)source + (from + i * l->source_column_stride) * type->size, (size_t)type->size);
    }
  }
}

static struct CAttentionKernels_rotation rotation_of(const struct storage *type, const struct layout *l) {
  const ptrdiff_t from = l->source_column_stride, to = l->target_column_stride;
  return (struct CAttentionKernels_rotation){
      .heads = l->heads,
      .rows = l->rows,
      .rows_per_turn = l->rows_per_turn,
      .columns = l->columns,
      .pairs = l->pairs,
      .source_head_stride = row_start(l, 1, 0, from) * type->size,
      .source_row_stride = row_start(l, 0, 1, from) * type->size,
      .source_column_stride = from,
      .target_head_stride = row_start(l, 1, 0, to) * type->size,
      .target_row_stride = row_start(l, 0, 1, to) * type->size,
      .target_column_stride = to,
      .cosine_row_stride = l->table_step * (l->pairs + 2),
      .sine_row_stride = l->table_step * (l->pairs + 1),
      .interleaved = l->is_interleaved,
  };
}

// A table of which only rows 0, or 0 to the last, or the last to 0 are read: its row 0 for the kernel.
static void *table_room(int number, const struct storage *table, const struct layout *l, ptrdiff_t row_stride,
                        enum edge edge, struct random *random) {
  const ptrdiff_t last = l->table_step ? (l->rows - 1) * row_stride : 0,
                  count = l->pairs ? last + l->pairs : 0;
  char *all = room(number, count * table->size, edge);
  for (ptrdiff_t i = 0; i < count; i++) {
    if (random_below(random, 8))
      store_value(table, all, i, random_between(random, -1, 1));
    else
      store_anything(table, all, i, random);
  }
  return all + (l->table_step < 0 && count ? last * table->size : 0);
}

typedef void (*rotate)(const struct CAttentionKernels_rotation *);

static void check_layout(rotate rotate, const struct storage *type, const struct layout *l, enum edge edge) {
  static char before[1 << 20], expected[1 << 20];
  struct random random = {14 + (uint64_t)l->pairs};
  const struct storage *table = type == &storage_f64 ? &storage_f64 : &storage_f32;
  const ptrdiff_t source_bytes = elements(l, l->source_column_stride) * type->size;
  const ptrdiff_t target_bytes = elements(l, l->target_column_stride) * type->size;
  void *source = room(0, source_bytes, edge), *target = l->is_in_place ? source : room(1, target_bytes, edge);
  for (ptrdiff_t i = 0; i * type->size < source_bytes; i++)
    store_anything(type, source, i, &random);
  struct CAttentionKernels_rotation rotation = rotation_of(type, l);
  rotation.source = source;
  rotation.target = target;
  rotation.cosines = table_room(2, table, l, l->pairs + 2, edge, &random);
  rotation.sines = table_room(3, table, l, l->pairs + 1, edge, &random);
  begin_case(
      "%td heads, %td rows (%td a turn), %td pairs of %td columns, strides %td and %td, table step %td%s%s%s",
      l->heads, l->rows, l->rows_per_turn, l->pairs, l->columns, l->source_column_stride,
      l->target_column_stride, l->table_step, l->is_interleaved ? ", interleaved" : "",
      l->is_token_major ? ", token-major" : "", l->is_in_place ? ", in place" : "");
  memcpy(before, source, (size_t)source_bytes);
  memcpy(expected, target, (size_t)target_bytes);
  expect_rotated(type, l, before, expected, rotation.cosines, rotation.sines);
  rotate(&rotation);
  // What lies between columns and rows stays what it was.
  for (ptrdiff_t i = 0; i * type->size < target_bytes; i++)
    expect_equal_stored(type, i, target, expected);
  expect_untouched_around_room(l->is_in_place ? 0 : 1);
}

static void check_rotation(rotate rotate, const struct storage *type) {
  static const ptrdiff_t strides[][2] = {{1, 1}, {2, 1}, {1, 3}, {3, 2}};
  FOR_EACH_EDGE (edge)
    for (ptrdiff_t pairs = 0; pairs <= 130; pairs += pairs < 36 ? 1 : 13) {
      for (int s = 0; s < 4; s++) {
        for (int variant = 0; variant < 4; variant++) {
          struct layout layout = {
              1, 3,           2, pairs,      2 * pairs + pairs % 4, strides[s][0], strides[s][1],
              1, variant % 2, 0, variant / 2};
          if (layout.is_in_place)
            layout.target_column_stride = layout.source_column_stride;
          check_layout(rotate, type, &layout, edge);
        }
      }
    }
  // Heads take turns of rows, by tables walked forwards, backwards, or not at all.
  for (ptrdiff_t turn = 1; turn <= 9; turn += 2) {
    for (int variant = 0; variant < 12; variant++) {
      struct layout layout = {
          3, 7, turn, 20, 42, 1, 1, variant % 3 - 1, variant % 2, variant / 3 % 2, variant / 6};
      check_layout(rotate, type, &layout, at_end);
    }
  }
}

// Every word, turned by nothing; then 1 turned by every tie of the type, which has to be rounded to even, and by numbers of every kind.
static void check_every_word(rotate rotate, const struct storage *type) {
  enum { pairs = 1 << 16, words = 2 * pairs };
  static uint16_t before[words], expected[words];
  const struct layout layout = {1, 1, 1, pairs, words, 1, 1, 0, 1, 0, 1};
  struct random random = {19};
  for (int rounds = 0; rounds < 2; rounds++) {
    uint16_t *x = room(0, sizeof before, at_end);
    float *cosines = room(2, pairs * (ptrdiff_t)sizeof *cosines, at_end);
    float *sines = room(3, pairs * (ptrdiff_t)sizeof *sines, at_end);
    begin_case(rounds ? "1 times every tie" : "every word times 1");
    for (int i = 0; i < pairs; i++) {
      const double tie = (value_of_word(type, (uint16_t)i) + value_of_word(type, (uint16_t)(i + 1))) / 2;
      x[2 * i] = rounds ? word_of_value(type, 1) : (uint16_t)i;
      x[2 * i + 1] = 0;
      cosines[i] = !rounds ? 1 : isfinite(tie) ? (float)tie : anything_f32(&random);
      sines[i] = 0;
    }
    struct CAttentionKernels_rotation rotation = rotation_of(type, &layout);
    rotation.source = rotation.target = x;
    rotation.cosines = cosines;
    rotation.sines = sines;
    memcpy(before, x, sizeof before);
    expect_rotated(type, &layout, before, expected, cosines, sines);
    rotate(&rotation);
    for (ptrdiff_t i = 0; i < words; i++)
      expect_equal_stored(type, i, x, expected);
  }
}

void check_rotary(kernel_set *set) {
  check_rotation(BEGIN_ENTRY(set, rotate_f32), &storage_f32);
  check_rotation(BEGIN_ENTRY(set, rotate_f64), &storage_f64);
  check_rotation(BEGIN_ENTRY(set, rotate_f16), &storage_f16);
  check_every_word(set->rotate_f16, &storage_f16);
  check_rotation(BEGIN_ENTRY(set, rotate_bf16), &storage_bf16);
  check_every_word(set->rotate_bf16, &storage_bf16);
}
