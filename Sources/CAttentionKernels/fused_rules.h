// From the products of a tile to the exponents of its weights: rules, what is hidden, the largest of each lane. A tile is rows of keys by
// vectors of queries in registers: a[r][c] is key j + r and vector c0 + c, r < rows, c < vecs, both known where this is inlined.

#ifndef CATTENTIONKERNELS_FUSED_RULES_H
#define CATTENTIONKERNELS_FUSED_RULES_H

#include "fused.h"

#include <math.h>
#include "tanh.h"

#define FUSED_INLINE static inline __attribute__((always_inline))

FUSED_INLINE void fused_store_tile(const int rows, const int c0, const int vecs, f32_vec (*a)[2], float *scores) {
  FUSED_UNROLL
  for (int r = 0; r < rows; r++)
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++)
      f32_store(scores + r * fused_width + (c0 + c) * f32_lanes, a[r][c]);
}

FUSED_INLINE void fused_load_tile(const int rows, const int c0, const int vecs, f32_vec (*a)[2], const float *scores) {
  FUSED_UNROLL
  for (int r = 0; r < rows; r++)
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++)
      a[r][c] = f32_load(scores + r * fused_width + (c0 + c) * f32_lanes);
}

// Softcap of any scores, in place in memory: its constants and the tile do not fit the registers together. Those near 0 become what
// fused_cap_tile makes of them: a score's bits do not depend on its tile.
static __attribute__((noinline, cold)) void fused_cap_any(float softcap, int rows, int c0, int vecs, float *scores) {
  const f32_vec cap = f32_set1(softcap), inverse = f32_set1(1 / softcap), zero = f32_set1(0);
  const f32_vec limit = f32_set1(softcap * f32_near_tanh_limit);
  for (int r = 0; r < rows; r++)
    for (int c = c0; c < c0 + vecs; c++) {
      float *score = scores + r * fused_width + c * f32_lanes;
      f32_vec x = f32_load(score);
      // A product that overflowed is no score like others: x * 0 is NaN where x is infinite.
      f32_vec far = f32_fma(f32_tanh(f32_mul(x, inverse)), cap, f32_mul(x, zero));
      f32_store(score, f32_select_less(limit, f32_abs(x), far, f32_near_softcap(x, inverse)));
    }
}

// Softcap of a tile. Caps are meant for a few scores: the others are near 0 beside them, and a few terms of tanh are enough there.
FUSED_INLINE void fused_cap_tile(const int rows, const int c0, const int vecs, float softcap, float *scores, f32_vec (*a)[2]) {
  const f32_vec inverse = f32_set1(1 / softcap), limit = f32_set1(softcap * f32_near_tanh_limit);
  f32_vec largest[2] = {f32_set1(0), f32_set1(0)};
  FUSED_UNROLL
  for (int r = 0; r < rows; r++)
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++)
      // What is NaN is passed over, and hides no other score.
      largest[c] = f32_max(f32_abs(a[r][c]), largest[c]);
  if (f32_less_bits(limit, f32_max(largest[0], largest[1]))) {
    fused_store_tile(rows, c0, vecs, a, scores);
    fused_cap_any(softcap, rows, c0, vecs, scores);
    fused_load_tile(rows, c0, vecs, a, scores);
    return;
  }
  FUSED_UNROLL
  for (int r = 0; r < rows; r++)
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++)
      a[r][c] = f32_near_softcap(a[r][c], inverse);
}

// -slope * |position - key| is added.
FUSED_INLINE void fused_add_alibi(const int rows, const int c0, const int vecs, const struct fused_run *run, ptrdiff_t j,
                                  f32_vec (*a)[2]) {
  FUSED_UNROLL
  for (int c = 0; c < vecs; c++) {
    const f32_vec distance = f32_sub(f32_load(run->position + (c0 + c) * f32_lanes), f32_set1((float)j));
    const f32_vec slope = f32_sub(f32_set1(0), f32_load(run->panel->slopes + (c0 + c) * f32_lanes));
    FUSED_UNROLL
    for (int r = 0; r < rows; r++)
      a[r][c] = f32_fma(slope, f32_abs(f32_sub(distance, f32_set1((float)r))), a[r][c]);
  }
}

// Scores times `factor`, plus biases where there are any.
FUSED_INLINE void fused_scale(const int rows, const int c0, const int vecs, float factor, const float *bias, f32_vec (*a)[2]) {
  const f32_vec scale = f32_set1(factor);
  FUSED_UNROLL
  for (int r = 0; r < rows; r++)
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++)
      a[r][c] = bias ? f32_fma(a[r][c], scale, f32_load(bias + r * fused_width + (c0 + c) * f32_lanes))
                     : f32_mul(a[r][c], scale);
}

// Products become scores. `scores` is memory of a tile.
FUSED_INLINE void fused_apply_rules(const int rows, const int c0, const int vecs, const struct fused_run *run, ptrdiff_t j,
                                    float *scores, f32_vec (*a)[2]) {
  const float *bias = run->panel->bias ? run->panel->bias + j * fused_width : NULL;
  float scale = run->block->scale;
  if (run->block->softcap > 0) {
    fused_scale(rows, c0, vecs, scale, NULL, a);
    fused_cap_tile(rows, c0, vecs, run->block->softcap, scores, a);
    scale = 1;
  }
  if (bias)
    fused_scale(rows, c0, vecs, scale, bias, a);
  else if (scale != 1)
    fused_scale(rows, c0, vecs, scale, NULL, a);
  if (run->panel->slopes)
    fused_add_alibi(rows, c0, vecs, run, j, a);
}

// What a row does not see becomes `hidden`, whatever it was.
FUSED_INLINE void fused_hide(const int rows, const int c0, const int vecs, const struct fused_run *run, float hidden,
                             f32_vec (*a)[2]) {
  const f32_vec x = f32_set1(hidden);
  FUSED_UNROLL
  for (int r = 0; r < rows; r++)
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++)
      a[r][c] = f32_select_bits(run->shown[r] >> (c0 + c) * f32_lanes, a[r][c], x);
}

// The largest score of each lane.
FUSED_INLINE void fused_find_largest(const int rows, const int c0, const int vecs, f32_vec (*a)[2], f32_vec *largest) {
  FUSED_UNROLL
  for (int c = 0; c < vecs; c++) {
    f32_vec m[2] = {a[0][c], rows > 1 ? a[1][c] : a[0][c]};
    FUSED_UNROLL
    for (int r = 2; r < rows; r++)
      m[r & 1] = f32_max(a[r][c], m[r & 1]);
    largest[c0 + c] = f32_max(m[0], m[1]);
  }
}

// Whether a lane has a score above its threshold.
static inline int fused_passes(const struct CAttentionKernels_panel *panel, const f32_vec *largest) {
  return (f32_less_bits(f32_load(panel->threshold), largest[0]) |
          f32_less_bits(f32_load(panel->threshold + f32_lanes), largest[1])) != 0;
}

// Scores become exponents of 2. Origins are 0 but where scores are huge: subtracting them is spared.
FUSED_INLINE void fused_find_exponents(const int rows, const int c0, const int vecs, const struct fused_run *run,
                                       f32_vec (*a)[2]) {
  const f32_vec factor = f32_set1(run->block->factor);
  if (__builtin_expect(run->panel->has_origin, 0)) {
    FUSED_UNROLL
    for (int c = 0; c < vecs; c++) {
      const f32_vec origin = f32_load(run->panel->origin + (c0 + c) * f32_lanes);
      FUSED_UNROLL
      for (int r = 0; r < rows; r++)
        a[r][c] = f32_sub(a[r][c], origin);
    }
  }
  FUSED_UNROLL
  for (int c = 0; c < vecs; c++) {
    const f32_vec shift = f32_load(run->panel->shift + (c0 + c) * f32_lanes);
    FUSED_UNROLL
    for (int r = 0; r < rows; r++)
      a[r][c] = f32_fma_exact(a[r][c], factor, shift);
  }
}

// Where a lane's weights are counted from, in the vectors of its panel.
struct fused_scale_point {
  f32_vec origin, shift;
};

// So that the weight of `score` is about 1. The product in an exponent is not rounded, so that a shift loses nothing of scores that are
// close to each other; but it is a whole number, which float holds up to 2^24. From 2^22 on the difference to the origin comes first: of
// scores that large it is exact.
static inline struct fused_scale_point fused_start_at(f32_vec score, f32_vec unit) {
  const f32_vec zero = f32_set1(0), furthest = f32_set1(0x1p22f);
  f32_vec exponent = f32_round(f32_mul(score, unit)), size = f32_abs(exponent);
  return (struct fused_scale_point){.origin = f32_select_less(size, furthest, zero, score),
                                    .shift = f32_select_less(size, furthest, f32_sub(zero, exponent), zero)};
}

// Moves the lanes of vector c whose largest score is above the threshold; what to multiply with all that was made before.
static inline f32_vec fused_move(const struct fused_run *run, int c, f32_vec largest) {
  struct CAttentionKernels_panel *panel = run->panel;
  const ptrdiff_t lane = c * f32_lanes;
  const f32_vec zero = f32_set1(0), vanishing = f32_set1(fused_vanishing), unit = f32_set1(run->block->factor);
  f32_vec origin = f32_load(panel->origin + lane), shift = f32_load(panel->shift + lane);
  f32_vec threshold = f32_load(panel->threshold + lane);
  // Of a lane that has not started it is infinite, or NaN where the unit is 0.
  f32_vec move = f32_round(f32_fma_exact(f32_sub(largest, origin), unit, shift));
  move = f32_select_less(threshold, largest, move, zero);
  struct fused_scale_point start = fused_start_at(largest, unit);
  f32_vec factor = f32_select_less(move, vanishing, f32_scale2_flush(f32_set1(1), f32_sub(zero, move)), zero);
  shift = f32_select_less(move, vanishing, f32_sub(shift, move), start.shift);
  // Shifts that crept beyond what is exact: whoever sees the sum computes the row in another way.
  shift = f32_select_less(f32_abs(shift), f32_set1(0x1p24f), shift, f32_set1(NAN));
  origin = f32_select_less(move, vanishing, origin, start.origin);
  f32_vec next = f32_add(origin, f32_div(f32_sub(f32_set1(fused_threshold), shift), unit));
  // Where steps of float are that large, the sum may be rounded up too far.
  f32_vec exponent = f32_fma_exact(f32_sub(next, origin), unit, shift);
  next = f32_select_less(f32_set1(100), exponent, largest, next);
  f32_store(panel->threshold + lane, f32_select_less(threshold, largest, next, threshold));
  f32_store(panel->origin + lane, origin);
  f32_store(panel->shift + lane, shift);
  // Lanes that have not started keep an origin of -infinity, and no score of theirs counts.
  const uint32_t below = f32_less_bits(origin, zero) & f32_less_bits(f32_set1(-INFINITY), origin);
  if (below | f32_less_bits(zero, origin))
    panel->has_origin = 1;
  return factor;
}

#endif
