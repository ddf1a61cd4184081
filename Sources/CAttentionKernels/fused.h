// What both flavours of fused attention share: the layout of a panel, what it prefetches, and which keys of a block it sees.

#ifndef CATTENTIONKERNELS_FUSED_H
#define CATTENTIONKERNELS_FUSED_H

#include "exp.h"

#include <string.h>

#if defined(__clang__)
#define FUSED_UNROLL _Pragma("clang loop unroll(full)")
#define FUSED_UNROLL_SOME _Pragma("clang loop unroll_count(4)")
#define FUSED_KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define FUSED_UNROLL _Pragma("GCC unroll 16")
#define FUSED_UNROLL_SOME _Pragma("GCC unroll 4")
#define FUSED_KEEP_LOOP _Pragma("GCC unroll 1")
#endif

enum {
  // Rows of a panel: two vectors, so that each broadcast number is used twice.
  fused_width = 2 * f32_lanes,
  // Keys of a block at most, whole tiles: a panel's weights then take 32 KiB where vectors have 16 lanes.
  fused_keys = 256 / f32_tile_rows * f32_tile_rows,
  // Three tiles of scores, and the weights, where the last tile may be incomplete.
  fused_scratch = (4 * f32_tile_rows + fused_keys) * fused_width
};

// Where a row does not see a key, its score in units of log 2: no weight is left of it, and it is finite, so that no infinity meets another.
static const float fused_hidden = -1e30f;
// 2^40: weights may grow that far above 1 before all is scaled down. Their sums stay far inside the range of float, and sums of
// weights near 2^-126 of the largest are lost only where float would not show them anyway.
static const float fused_threshold = 40;
// 2^-200: what is scaled down that far, from 2^40 at most, is 0 beside a weight of 1, and a lane starts anew.
static const float fused_vanishing = 200;
// The lanes of the first vector, a bit each.
static const uint32_t fused_first_vector = (1u << f32_lanes) - 1;
// Pairs of bf16: (1, 1), (1, 0), (0, 1), the low half first.
static const uint32_t fused_bf16_ones = 0x3F803F80, fused_bf16_low = 0x3F80, fused_bf16_high = 0x3F800000;

_Static_assert(fused_width <= 32, "a bit for each row of a panel fits a word");

struct fused_sums {
  // Of weights, as they are multiplied with values, and before they were rounded for that.
  f32_vec lanes[2], mass[2];
};

// Exponents that are not weights yet, and where their weights belong.
struct fused_pending {
  const float *scores;
  float *weights;
};

// The keys of a block, counted from its first, that some row of one vector of queries sees, and those that all its rows see.
struct fused_reach {
  ptrdiff_t lo, hi, all_lo, all_hi;
};

// A panel's way through one block.
struct fused_run {
  float begin[2 * f32_lanes] __attribute__((aligned(64))), end[2 * f32_lanes], position[2 * f32_lanes];
  const struct CAttentionKernels_block *block;
  struct CAttentionKernels_panel *panel;
  float *weights;
  struct fused_reach reach[2];
  // The keys that some row sees, from the start of a tile on.
  ptrdiff_t first_key, last_key;
  // Whether scores are more than products: scaled, capped, biased.
  int has_rules;
  // Which vectors see all keys where nothing hides any: as in `sees`. 0 where that is for each tile to find out.
  uint8_t all_see;
  // The lanes that are rows, a bit each.
  uint32_t used;
  // Of the tile that is computed: whether some row does not see all its keys, and then which lanes see each key.
  int hides;
  uint32_t shown[f32_tile_rows];
  // For each tile, which vectors see some of its keys: bit 0 the first, bit 1 the second.
  uint8_t sees[fused_keys / f32_tile_rows];
};

// Pairs of bf16, both halves times a factor.
static inline f32_vec f32_scale_pairs(f32_vec pairs, f32_vec factor) {
  const f32_vec zero = f32_set1(0);
  f32_vec low = f32_dot_pairs(zero, pairs, f32_set1_word(&fused_bf16_low));
  f32_vec high = f32_dot_pairs(zero, pairs, f32_set1_word(&fused_bf16_high));
  return f32_pack_pairs(f32_mul(low, factor), f32_mul(high, factor));
}

// Some of the rows that are read next.
struct fused_hint {
  const char *next;
  ptrdiff_t stride, bytes, rows;
};

static inline struct fused_hint fused_take(struct CAttentionKernels_hint *hint, ptrdiff_t rows) {
  for (int i = 0; i < CAttentionKernels_hint_count; i++, hint++) {
    if (hint->rows <= 0)
      continue;
    struct fused_hint taken = {hint->next, hint->stride, hint->bytes, hint->rows < rows ? hint->rows : rows};
    hint->next += taken.rows * hint->stride;
    hint->rows -= taken.rows;
    return taken;
  }
  return (struct fused_hint){0, 0, 0, 0};
}

// Prefetches one row into the second-level cache.
static inline void fused_prefetch(struct fused_hint *hint) {
  if (hint->rows-- <= 0)
    return;
  for (ptrdiff_t i = 0; i < hint->bytes; i += 64)
    __builtin_prefetch(hint->next + i, 0, 2);
  hint->next += hint->stride;
}

static inline int fused_reaches(const struct fused_reach *reach, ptrdiff_t j, ptrdiff_t rows) {
  return (reach->lo < j + rows) & (reach->hi > j);
}

// Whether some row of a vector does not see all of these keys.
static inline int fused_cuts(const struct fused_reach *reach, ptrdiff_t j, ptrdiff_t rows) {
  return (reach->all_lo > j) | (reach->all_hi < j + rows);
}

// The lanes whose ranges hold a key, a bit each.
static inline uint32_t fused_range_bits(const struct fused_run *run, ptrdiff_t key) {
  const f32_vec place = f32_set1((float)key);
  uint32_t bits = 0;
  for (int c = 0; c < 2; c++) {
    const float *begin = run->begin + c * f32_lanes, *end = run->end + c * f32_lanes;
    uint32_t within = f32_less_bits(place, f32_load(end)) & ~f32_less_bits(place, f32_load(begin));
    bits |= within << c * f32_lanes;
  }
  return bits;
}

// Finds who sees a tile whose keys some row does not see; which vectors do.
static __attribute__((noinline)) uint8_t fused_look_closely(struct fused_run *run, ptrdiff_t j, ptrdiff_t rows, int cuts) {
  const uint32_t *visible = run->panel->visible;
  uint32_t some = 0, all = UINT32_MAX;
  for (ptrdiff_t r = 0; r < rows; r++) {
    uint32_t shown = cuts ? fused_range_bits(run, j + r) : UINT32_MAX;
    if (visible)
      shown &= visible[j + r];
    run->shown[r] = shown;
    some |= shown;
    all &= shown;
  }
  run->hides = (all & run->used) != run->used;
  const int first = (some & run->used & fused_first_vector) != 0, second = (some & run->used & ~fused_first_vector) != 0;
  return (uint8_t)(first | second << 1);
}

// Finds who sees the tile at key j; which vectors do.
static inline __attribute__((always_inline)) uint8_t fused_look(struct fused_run *run, ptrdiff_t j, ptrdiff_t rows) {
  run->hides = 0;
  if (run->all_see)
    return run->all_see;
  const struct fused_reach *a = &run->reach[0], *b = &run->reach[1];
  const int cuts = fused_cuts(a, j, rows) | fused_cuts(b, j, rows);
  uint8_t sees = (uint8_t)(fused_reaches(a, j, rows) | fused_reaches(b, j, rows) << 1);
  if (cuts || run->panel->visible)
    sees &= fused_look_closely(run, j, rows, cuts);
  return sees;
}

// Finds what a panel sees of a block; whether that is anything.
static inline int fused_start(struct fused_run *run, const struct CAttentionKernels_block *block,
                              struct CAttentionKernels_panel *panel) {
  run->block = block;
  run->panel = panel;
  run->weights = block->scratch + 3 * f32_tile_rows * fused_width;
  run->has_rules = block->scale != 1 || block->softcap > 0 || panel->bias != NULL || panel->slopes != NULL;
  run->used = UINT32_MAX >> (32 - panel->rows);
  run->all_see = panel->begin || panel->visible ? 0 : panel->rows <= f32_lanes ? 1 : 3;
  if (panel->slopes)
    for (int i = 0; i < fused_width; i++)
      run->position[i] = (float)(panel->positions[i] - block->first);
  if (!panel->begin) {
    run->reach[0] = run->reach[1] = (struct fused_reach){0, block->count, 0, block->count};
    if (panel->rows <= f32_lanes)
      run->reach[1] = (struct fused_reach){block->count, 0, 0, block->count};
    run->first_key = 0;
    run->last_key = block->count;
    return block->count > 0;
  }
  for (int c = 0; c < 2; c++) {
    struct fused_reach reach = {block->count, 0, 0, block->count};
    for (int i = c * f32_lanes; i < (c + 1) * f32_lanes; i++) {
      ptrdiff_t begin = panel->begin[i] - block->first, end = panel->end[i] - block->first;
      begin = begin < 0 ? 0 : begin < block->count ? begin : block->count;
      end = end < begin ? begin : end < block->count ? end : block->count;
      run->begin[i] = (float)begin;
      run->end[i] = (float)end;
      reach.all_lo = begin > reach.all_lo ? begin : reach.all_lo;
      reach.all_hi = end < reach.all_hi ? end : reach.all_hi;
      if (begin < end && i < panel->rows) {
        reach.lo = begin < reach.lo ? begin : reach.lo;
        reach.hi = end > reach.hi ? end : reach.hi;
      }
    }
    run->reach[c] = reach;
  }
  ptrdiff_t lo = run->reach[0].lo < run->reach[1].lo ? run->reach[0].lo : run->reach[1].lo;
  run->first_key = lo / f32_tile_rows * f32_tile_rows;
  run->last_key = run->reach[0].hi > run->reach[1].hi ? run->reach[0].hi : run->reach[1].hi;
  return run->first_key < run->last_key;
}

#endif
