// Rows on their way into panels and out of them: pack_* and finish_*, bit by bit; and the numbers of the
// table.

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <math.h>
#include <string.h>

enum { most_panel_rows = 32, most_columns = 128 };

static void check_numbers(kernel_set *set) {
  begin_subject("numbers of the table");
  begin_case("panel_rows, tile_keys, block_keys, block_scratch, dots_bf16_pairs");
  expect_equal_integer(0, set->panel_rows >= 1 && set->panel_rows <= most_panel_rows, 1);
  expect_equal_integer(1, set->tile_keys >= 1 && set->block_keys >= 2 * set->tile_keys, 1);
  // Pairs of keys belong to one tile.
  expect_equal_integer(2, set->tile_keys % 2 + set->block_keys % set->tile_keys, 0);
  expect_equal_integer(3, set->block_scratch >= set->block_keys * set->panel_rows, 1);
  expect_equal_integer(4, set->dots_bf16_pairs, strcmp(set->name, "avx512bf16") == 0);
}

// Rows in a room: heads within a query or queries within a head, gaps between rows.
struct layout {
  ptrdiff_t columns, size, bytes;
  struct CAttentionKernels_panel_rows rows;
};

static struct layout lay_out(int number, enum edge edge, ptrdiff_t columns, ptrdiff_t size, int turn,
                             ptrdiff_t count) {
  struct layout layout = {columns, size, 0, {.heads = 1 + turn % 3, .first = turn % 5, .count = count}};
  struct CAttentionKernels_panel_rows *rows = &layout.rows;
  const ptrdiff_t row = (columns + turn % 2) * size, queries = (rows->first + count - 1) / rows->heads + 1;
  if (turn % 4 < 2)
    rows->head_stride = row, rows->query_stride = rows->heads * row + size;
  else
    rows->query_stride = row, rows->head_stride = queries * row;
  // Up to the end of the last row of all.
  layout.bytes = (queries - 1) * rows->query_stride + (rows->heads - 1) * rows->head_stride + columns * size;
  rows->base = room(number, layout.bytes, edge);
  return layout;
}

static ptrdiff_t offset_of_row(const struct layout *layout, ptrdiff_t r) {
  ptrdiff_t at = layout->rows.first + r;
  return at / layout->rows.heads * layout->rows.query_stride + at % layout->rows.heads * layout->rows.head_stride;
}

#define FOR_EACH_LAYOUT(set, edge, columns, turn, count)                                                     \
  FOR_EACH_EDGE (edge)                                                                                       \
    for (ptrdiff_t columns = 1; columns <= most_columns; columns += columns < 40 ? 1 : 29)                   \
      for (int turn = (int)columns % 2, count = 0; turn < 12; turn += 2)                                     \
        if ((count = 1 + (int)((columns * 5 + turn * 7) % set->panel_rows)), 1)

static void check_pack_f32(kernel_set *set) {
  void (*pack)(float *, const struct CAttentionKernels_panel_rows *, ptrdiff_t, int) = BEGIN_ENTRY(set, pack_panel_f32);
  struct random random = {21};
  FOR_EACH_LAYOUT (set, edge, columns, turn, count) {
    struct layout layout = lay_out(0, edge, columns, sizeof(float), turn, count);
    float *queries = room(1, columns * set->panel_rows * (ptrdiff_t)sizeof(float), edge);
    const int negates = turn % 3 == 1;
    for (ptrdiff_t i = 0; i < layout.bytes / 4; i++)
      ((float *)layout.rows.base)[i] = anything_f32(&random);
    begin_case("%td columns, %d rows from %td of %td heads, negates %d", columns, count, layout.rows.first,
               layout.rows.heads, negates);
    pack(queries, &layout.rows, columns, negates);
    for (ptrdiff_t r = 0; r < set->panel_rows; r++) {
      const float *row = (const float *)(const void *)((const char *)layout.rows.base + offset_of_row(&layout, r));
      for (ptrdiff_t d = 0; d < columns; d++)
        expect_equal_f32(d, queries[d * set->panel_rows + r], r >= count ? 0 : negates ? -row[d] : row[d]);
    }
    expect_untouched_around_room(1);
  }
}

// Mostly words that are multiplied right by every CPU; those next to the bounds, and anything.
static uint16_t some_word(struct random *random) {
  static const uint16_t words[] = {0x0080, 0x5F7F, 0, 0x007F, 0x0001, 0x5F80, 0x7F80, 0x7FC0};
  const uint16_t sign = (uint16_t)(random_bits(random) & 0x8000);
  if (random_below(random, 200) == 0)
    return sign | words[random_below(random, 8)];
  return random_below(random, 4) ? word_of_value(&storage_bf16, random_between(random, -4, 4))
                                 : sign | words[random_below(random, 3)];
}

static void check_pack_bf16(kernel_set *set) {
  void (*pack)(float *, const struct CAttentionKernels_panel_rows *, ptrdiff_t, int, float, uint8_t *) =
      BEGIN_ENTRY(set, pack_panel_bf16);
  struct random random = {22};
  FOR_EACH_LAYOUT (set, edge, half, turn, count) {
    const ptrdiff_t columns = 2 * half;
    struct layout layout = lay_out(0, edge, columns, sizeof(uint16_t), turn, count);
    uint32_t *queries = room(1, half * set->panel_rows * (ptrdiff_t)sizeof(float), edge);
    uint8_t *exact = room(2, set->panel_rows, edge);
    for (ptrdiff_t i = 0; i < layout.bytes / 2; i++)
      ((uint16_t *)layout.rows.base)[i] = some_word(&random);
    // Between two numbers of bf16, one of them, and none at all.
    const float limits[] = {0x1.ff8p63f, 3, INFINITY}, limit = limits[turn % 3];
    const int negates = turn % 5 < 2;
    begin_case("%td columns, %d rows from %td of %td heads, negates %d, limit %g", columns, count, layout.rows.first,
               layout.rows.heads, negates, limit);
    pack((float *)queries, &layout.rows, columns, negates, limit, exact);
    for (ptrdiff_t r = 0; r < set->panel_rows; r++) {
      const uint16_t *row =
          (const uint16_t *)(const void *)((const char *)layout.rows.base + offset_of_row(&layout, r));
      int expected = 0;
      for (ptrdiff_t d = 0; d < half; d++) {
        uint32_t word = r < count ? row[2 * d] | (uint32_t)row[2 * d + 1] << 16 : 0;
        expect_equal_integer(d, queries[d * set->panel_rows + r], r < count && negates ? word ^ 0x80008000 : word);
        for (int i = 0; i < 2 && r < count; i++) {
          double size = fabs(value_of_word(&storage_bf16, row[2 * d + i]));
          expected |= !(size == 0 || (size >= 0x1p-126 && size <= limit));
        }
      }
      expect_equal_integer(r, exact[r], expected);
    }
    expect_untouched_around_room(1);
    expect_untouched_around_room(2);
  }
}

static void check_pack_value_pairs(kernel_set *set) {
  void (*pack)(float *, const void *, ptrdiff_t, ptrdiff_t, ptrdiff_t) = BEGIN_ENTRY(set, pack_value_pairs);
  struct random random = {23};
  FOR_EACH_EDGE (edge)
    for (ptrdiff_t columns = 1; columns <= most_columns; columns += columns < 40 ? 1 : 29)
      for (ptrdiff_t rows = 0; rows <= 20; rows++) {
        const ptrdiff_t stride = columns + rows % 3, count = rows ? (rows - 1) * stride + columns : 0;
        uint16_t *values = room(0, count * 2, edge);
        uint32_t *words = room(1, (rows + 1) / 2 * columns * 4, edge);
        for (ptrdiff_t i = 0; i < count; i++)
          values[i] = (uint16_t)random_bits(&random);
        begin_case("%td rows of %td columns, stride %td", rows, columns, stride);
        pack((float *)words, values, stride, rows, columns);
        for (ptrdiff_t j = 0; j < (rows + 1) / 2; j++)
          for (ptrdiff_t c = 0; c < columns; c++) {
            uint32_t high = 2 * j + 1 < rows ? values[(2 * j + 1) * stride + c] : 0;
            expect_equal_integer(j * columns + c, words[j * columns + c], values[2 * j * stride + c] | high << 16);
          }
        expect_untouched_around_room(1);
      }
}

static void check_finish(kernel_set *set, void (*finish)(const struct CAttentionKernels_finish *, uint8_t *),
                         const struct storage *type) {
  struct random random = {24};
  static char expected[most_panel_rows * 5 * (most_columns + 1) * sizeof(float)];
  FOR_EACH_LAYOUT (set, edge, columns, turn, count) {
    const ptrdiff_t lanes = set->panel_rows, bytes = lanes * (ptrdiff_t)sizeof(float);
    struct layout layout = lay_out(0, edge, columns, type->size, turn, count);
    float *output = room(1, columns * bytes, edge), *sums = room(2, bytes, edge), *factors = room(3, bytes, edge);
    uint8_t *finite = room(4, lanes, edge);
    const int has_factors = turn % 4 == 3;
    for (ptrdiff_t i = 0; i < columns * lanes; i++)
      output[i] = random_below(&random, 60) ? (float)random_between(&random, -300, 300) : anything_f32(&random);
    for (ptrdiff_t i = 0; i < lanes; i++) {
      sums[i] = random_below(&random, 9) ? (float)random_between(&random, 0.01, 300) : anything_f32(&random);
      factors[i] = random_below(&random, 9) ? (float)random_between(&random, 0, 3) : anything_f32(&random);
    }
    struct CAttentionKernels_panel panel = {.output = output, .sum = sums, .rows = count, .has_output = 1};
    struct CAttentionKernels_finish task = {&panel, layout.rows, columns, has_factors ? factors : NULL};
    begin_case("%td columns, %d rows from %td of %td heads, factors %d", columns, count, layout.rows.first,
               layout.rows.heads, has_factors);
    memcpy(expected, layout.rows.base, (size_t)layout.bytes);
    finish(&task, finite);
    for (ptrdiff_t r = 0; r < count; r++) {
      const float factor = has_factors ? factors[r] : 1 / sums[r];
      int is_finite = 1;
      for (ptrdiff_t d = 0; d < columns; d++) {
        float y = output[d * lanes + r] * factor;
        is_finite &= isfinite(y) != 0;
        store_value(type, expected + offset_of_row(&layout, r), d, y);
      }
      expect_equal_integer(r, finite[r], is_finite);
    }
    for (ptrdiff_t i = 0; i < layout.bytes / type->size; i++)
      expect_equal_stored(type, i, layout.rows.base, expected);
    expect_untouched_around_room(0);
    expect_untouched_around_room(4);
  }
}

void check_panels(kernel_set *set) {
  check_numbers(set);
  check_pack_f32(set);
  check_pack_bf16(set);
  check_pack_value_pairs(set);
  check_finish(set, BEGIN_ENTRY(set, finish_panel_f32), &storage_f32);
  check_finish(set, BEGIN_ENTRY(set, finish_panel_f16), &storage_f16);
  check_finish(set, BEGIN_ENTRY(set, finish_panel_bf16), &storage_bf16);
}
