// Mask tensors on their way into tiles: pack_bias_* and pack_visible, bit by bit.

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { most_panel_rows = 32 };
static const double lowest = -0x1.5p127;

// A mask in room 0: rows with heads within a query or queries within a head, shared rows, columns apart, backwards or shared.
struct mask {
  ptrdiff_t keys, column_stride, size;
  struct CAttentionKernels_panel_rows rows;
  int count, turn;
};

static struct mask lay_out(kernel_set *set, enum edge edge, ptrdiff_t keys, ptrdiff_t size, int turn) {
  static const ptrdiff_t column_strides[] = {1, 1, 1, 3, 0, -1};
  struct mask mask = {.keys = keys, .size = size, .turn = turn, .column_stride = column_strides[turn % 6]};
  mask.count = 1 + (int)((keys * 5 + turn * 7) % set->panel_rows);
  struct CAttentionKernels_panel_rows *rows = &mask.rows;
  rows->heads = 1 + turn % 3, rows->first = turn % 5, rows->count = mask.count;
  const ptrdiff_t apart = mask.column_stride < 0 ? 1 : mask.column_stride;
  const ptrdiff_t row = ((keys - 1) * apart + 1 + turn % 2) * size, queries = (rows->first + mask.count - 1) / rows->heads + 1;
  if (turn % 4 == 0)
    rows->head_stride = row, rows->query_stride = rows->heads * row;
  else if (turn % 4 == 1)
    rows->query_stride = row, rows->head_stride = queries * row;
  else if (turn % 4 == 2)
    rows->query_stride = row;
  const ptrdiff_t bytes = (queries - 1) * rows->query_stride + (rows->heads - 1) * rows->head_stride + row - turn % 2 * size;
  char *start = room(0, bytes, edge);
  rows->base = mask.column_stride < 0 ? start + (keys - 1) * size : start;
  return mask;
}

static char *address(const struct mask *mask, ptrdiff_t r, ptrdiff_t j) {
  const ptrdiff_t at = mask->rows.first + r, query = at / mask->rows.heads, head = at % mask->rows.heads;
  return (char *)mask->rows.base + query * mask->rows.query_stride + head * mask->rows.head_stride +
         j * mask->column_stride * mask->size;
}

#define FOR_EACH_MASK(set, edge, keys, turn)                                                                 \
  FOR_EACH_EDGE (edge)                                                                                       \
    for (ptrdiff_t keys = 1; keys <= 70; keys += keys < 40 ? 1 : 29)                                         \
      for (int turn = (int)keys % 2; turn < 24; turn += 2)

// Usual biases, and those at the edges of types.
static double some_bias(struct random *random) {
  const double edges[] = {-INFINITY, NAN, INFINITY, -1e300, 1e300, -FLT_MAX, FLT_MAX, -3e38, -1e38, 0};
  return random_below(random, 4) ? random_between(random, -8, 8) : edges[random_below(random, 10)];
}

static double expected_bias(double stored) {
  if (stored < -FLT_MAX)
    return lowest;
  const double x = isfinite(stored) ? fmin(stored, FLT_MAX) : stored;
  return x < lowest ? lowest : x;
}

typedef void pack_bias(float *, uint32_t *, const struct CAttentionKernels_panel_rows *, ptrdiff_t, ptrdiff_t, int);

static void check_pack_bias(kernel_set *set, pack_bias *pack, const struct storage *type) {
  struct random random = {51};
  const ptrdiff_t lanes = set->panel_rows;
  static float before[70 * most_panel_rows];
  uint32_t visible_before[70];
  FOR_EACH_MASK (set, edge, keys, turn) {
    struct mask mask = lay_out(set, edge, keys, type->size, turn);
    for (ptrdiff_t r = 0; r < mask.count; r++)
      for (ptrdiff_t j = 0; j < keys; j++)
        store_value(type, address(&mask, r, j), 0, some_bias(&random));
    const int adds = turn % 3 == 2;
    float *tile = room(1, keys * lanes * (ptrdiff_t)sizeof *tile, edge);
    uint32_t *visible = room(2, keys * (ptrdiff_t)sizeof *visible, edge);
    for (ptrdiff_t i = 0; i < keys * lanes; i++)
      tile[i] = before[i] = (float)(random_below(&random, 5) ? random_between(&random, -9, 9) : expected_bias(some_bias(&random)));
    for (ptrdiff_t j = 0; j < keys; j++)
      visible[j] = visible_before[j] = (uint32_t)random_bits(&random);
    begin_case("%td keys, %d rows from %td of %td heads, turn %d, column stride %td, adds %d", keys, mask.count,
               mask.rows.first, mask.rows.heads, turn, mask.column_stride, adds);
    pack(tile, visible, &mask.rows, mask.column_stride, keys, adds);
    for (ptrdiff_t j = 0; j < keys; j++) {
      for (ptrdiff_t r = 0; r < mask.count; r++) {
        const double stored = stored_value(type, address(&mask, r, j), 0);
        float expected = (float)expected_bias(stored);
        if (adds)
          expected = (float)expected_bias((double)(float)(before[j * lanes + r] + expected) < lowest
                                              ? lowest
                                              : (double)(before[j * lanes + r] + expected));
        expect_equal_f32(j * lanes + r, tile[j * lanes + r], expected);
        const int is_seen = (visible_before[j] >> r & 1) && !(isinf(stored) && stored < 0);
        expect_equal_integer(j * lanes + r, visible[j] >> r & 1, is_seen);
      }
    }
    expect_untouched_around_room(1);
    expect_untouched_around_room(2);
  }
}

static void check_pack_visible(kernel_set *set) {
  void (*pack)(uint32_t *, const struct CAttentionKernels_panel_rows *, ptrdiff_t, ptrdiff_t) =
      BEGIN_ENTRY(set, pack_visible);
  struct random random = {52};
  uint32_t before[70];
  FOR_EACH_MASK (set, edge, keys, turn) {
    struct mask mask = lay_out(set, edge, keys, 1, turn);
    for (ptrdiff_t r = 0; r < mask.count; r++)
      for (ptrdiff_t j = 0; j < keys; j++)
        *address(&mask, r, j) = (char)(random_below(&random, 3) > 0);
    uint32_t *visible = room(2, keys * (ptrdiff_t)sizeof *visible, edge);
    for (ptrdiff_t j = 0; j < keys; j++)
      visible[j] = before[j] = random_below(&random, 2) ? UINT32_MAX : (uint32_t)random_bits(&random);
    begin_case("%td keys, %d rows from %td of %td heads, turn %d, column stride %td", keys, mask.count, mask.rows.first,
               mask.rows.heads, turn, mask.column_stride);
    pack(visible, &mask.rows, mask.column_stride, keys);
    for (ptrdiff_t j = 0; j < keys; j++)
      for (ptrdiff_t r = 0; r < mask.count; r++)
        expect_equal_integer(j * 32 + r, visible[j] >> r & 1, (before[j] >> r & 1) && *address(&mask, r, j) != 0);
    expect_untouched_around_room(2);
  }
}

void check_mask_tiles(kernel_set *set) {
  check_pack_bias(set, BEGIN_ENTRY(set, pack_bias_f32), &storage_f32);
  check_pack_bias(set, BEGIN_ENTRY(set, pack_bias_f64), &storage_f64);
  check_pack_bias(set, BEGIN_ENTRY(set, pack_bias_f16), &storage_f16);
  check_pack_bias(set, BEGIN_ENTRY(set, pack_bias_bf16), &storage_bf16);
  check_pack_visible(set);
}
