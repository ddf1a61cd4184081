// What both flavours of fused attention share: the layout of a panel, which keys of a block it sees, and the rules that change scores.

#ifndef CATTENTIONKERNELS_FUSED_H
#define CATTENTIONKERNELS_FUSED_H

#include "exp.h"
#include "tanh.h"

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

// Scores that a row does not see: far below any shift, and finite, so that no infinity meets another.
static const float fused_hidden = -1e30f;
// The threshold before the first score: below any score that has a weight, above hidden ones.
static const float fused_unstarted = -1e29f;
// 2^40: weights may grow that far above 1 before all is scaled down. Their sums stay far inside the range of float, and sums of
// weights near 2^-126 of the largest are lost only where float would not show them anyway.
static const float fused_threshold = 40;
// Pairs of bf16: (1, 1), (1, 0), (0, 1), the low half first.
static const uint32_t fused_bf16_ones = 0x3F803F80, fused_bf16_low = 0x3F80, fused_bf16_high = 0x3F800000;

struct fused_sums {
  // Of weights, as they are multiplied with values, and before they were rounded for that.
  f32_vec lanes[2], mass[2];
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
  int has_rules;
};

// Pairs of bf16, both halves times a factor.
static inline f32_vec f32_scale_pairs(f32_vec pairs, f32_vec factor) {
  const f32_vec zero = f32_set1(0);
  f32_vec low = f32_dot_pairs(zero, pairs, f32_set1_word(&fused_bf16_low));
  f32_vec high = f32_dot_pairs(zero, pairs, f32_set1_word(&fused_bf16_high));
  return f32_pack_pairs(f32_mul(low, factor), f32_mul(high, factor));
}

// Some of the rows that are read next.
struct fused_ahead {
  const char *next;
  ptrdiff_t stride, bytes, rows;
};

static inline struct fused_ahead fused_take(struct CAttentionKernels_ahead *ahead, ptrdiff_t rows) {
  for (int i = 0; i < CAttentionKernels_aheads; i++, ahead++) {
    if (ahead->rows <= 0)
      continue;
    struct fused_ahead taken = {ahead->next, ahead->stride, ahead->bytes, ahead->rows < rows ? ahead->rows : rows};
    ahead->next += taken.rows * ahead->stride;
    ahead->rows -= taken.rows;
    return taken;
  }
  return (struct fused_ahead){0, 0, 0, 0};
}

// Asks for one row to be in the second-level cache.
static inline void fused_prefetch(struct fused_ahead *ahead) {
  if (ahead->rows-- <= 0)
    return;
  for (ptrdiff_t i = 0; i < ahead->bytes; i += 64)
    __builtin_prefetch(ahead->next + i, 0, 2);
  ahead->next += ahead->stride;
}

static inline int fused_sees(const struct fused_reach *reach, ptrdiff_t j, ptrdiff_t rows) {
  return (reach->lo < j + rows) & (reach->hi > j);
}

// Whether some row does not see all of these keys.
static inline int fused_hides(const struct fused_run *run, ptrdiff_t j, ptrdiff_t rows) {
  return (run->reach[0].all_lo > j) | (run->reach[0].all_hi < j + rows) | (run->reach[1].all_lo > j) |
         (run->reach[1].all_hi < j + rows);
}

// Finds what a panel sees of a block; whether that is anything.
static inline int fused_start(struct fused_run *run, const struct CAttentionKernels_block *block,
                              struct CAttentionKernels_panel *panel) {
  run->block = block;
  run->panel = panel;
  run->weights = block->scratch + 3 * f32_tile_rows * fused_width;
  run->has_rules = block->softcap > 0 || panel->slopes != NULL;
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

// What ALiBi takes from the scores of one vector of queries, for each key between.
struct fused_alibi {
  f32_vec position, slope;
};

static inline struct fused_alibi fused_alibi(const struct fused_run *run, int c) {
  return (struct fused_alibi){f32_load(run->position + c * f32_lanes),
                              f32_sub(f32_set1(0), f32_load(run->panel->slopes + c * f32_lanes))};
}

static inline f32_vec fused_add_alibi(const struct fused_alibi *alibi, f32_vec key, f32_vec scores) {
  return f32_fma(alibi->slope, f32_abs(f32_sub(alibi->position, key)), scores);
}

// Softcap, ALiBi, shift and mask on `vecs` vectors of a tile of products from `c0` on, in place; the largest of each lane.
static __attribute__((noinline)) void fused_apply_rules(const struct fused_run *run, ptrdiff_t j, int rows, int c0, int vecs,
                                                        float *scores, f32_vec *maxima) {
  const struct CAttentionKernels_panel *panel = run->panel;
  const f32_vec hidden = f32_set1(fused_hidden), cap = f32_set1(run->block->softcap);
  const f32_vec inverse_cap = f32_set1(1 / run->block->softcap);
  const int hides = panel->begin && fused_hides(run, j, rows);
  for (int c = c0; c < c0 + vecs; c++) {
    const ptrdiff_t lane = c * f32_lanes;
    struct fused_alibi alibi = {f32_set1(0), f32_set1(0)};
    if (panel->slopes)
      alibi = fused_alibi(run, c);
    f32_vec shift = f32_load(panel->shift + lane), most = hidden;
    for (int r = 0; r < rows; r++) {
      f32_vec key = f32_set1((float)(j + r)), x = f32_load(scores + r * fused_width + lane);
      // A product that overflowed is no score like others: x * 0 is NaN where x is infinite.
      x = f32_fma(f32_tanh(f32_mul(x, inverse_cap)), cap, f32_mul(x, f32_set1(0)));
      if (panel->slopes)
        x = fused_add_alibi(&alibi, key, x);
      x = f32_add(x, shift);
      if (hides) {
        x = f32_select_less(key, f32_load(run->begin + lane), hidden, x);
        x = f32_select_less(key, f32_load(run->end + lane), x, hidden);
      }
      most = f32_max(x, most);
      f32_store(scores + r * fused_width + lane, x);
    }
    maxima[c] = most;
  }
}

#endif
