// A panel of queries and two blocks of keys, as numbers; what the kernels make of them, and what they should.

#ifndef KERNELDRIVER_FUSED_CASE_H
#define KERNELDRIVER_FUSED_CASE_H

#include "check.h"
#include "memory.h"
#include "values.h"

enum { most_lanes = 32, most_dim = 128, most_keys = 512 };

// What the rows of a panel see.
enum ranges { see_all, causal, windows, some_empty, first_vector_empty, second_vector_empty, anything_at_all, ranges_count };
// What scores are like. All but the last are exact in float, summed up in whatever order. Distant ones are close to each other and far from 0.
enum scores { small_scores, growing_scores, jumping_scores, distant_scores, rounded_scores, scores_count };

// What a mask tensor shows of the keys: all, some of any, whole tiles of them, or none to some rows.
enum shown { all_shown, some_shown, tiles_shown, no_keys_shown, shown_count };

struct fused_case {
  // Whether pairs of bf16 are multiplied, and whether the mass is asked for along.
  int is_bf16, with_mass;
  ptrdiff_t head_dim, value_dim, rows, lanes;
  // Keys of each block, and in the sequence before the first.
  ptrdiff_t counts[2], first;
  ptrdiff_t key_gap, value_gap;
  enum ranges ranges;
  enum scores scores;
  float scale, factor, softcap;
  int has_slopes, has_bias;
  enum shown shown;
  float query[most_lanes][most_dim], key[most_keys][most_dim], value[most_keys][most_dim];
  int32_t begin[most_lanes], end[most_lanes];
  float slope[most_lanes];
  int64_t position[most_lanes];
  float bias[most_keys][most_lanes];
  uint32_t visible[most_keys];
};

struct fused_result {
  float origin[most_lanes], shift[most_lanes], threshold[most_lanes], sum[most_lanes], mass[most_lanes];
  float output[most_dim][most_lanes];
};

// Numbers for the sizes, rules and kinds that a case asks for; a tile has so many keys. Column 0 of the values is 1.
void fill_fused_case(struct fused_case *c, ptrdiff_t tile, struct random *random);

// What the kernel makes of both blocks, one after the other, in memory that ends or starts next to forbidden
// pages.
void run_fused(kernel_set *set, const struct fused_case *c, struct fused_result *result, enum edge edge);

// Whether row r sees key j, counted from the first block's first.
int fused_row_sees(const struct fused_case *c, ptrdiff_t r, ptrdiff_t j);

// Compares every row with the double computation.
void expect_fused(const struct fused_case *c, const struct fused_result *result);

// Lane `b` of one result has the bits of lane `a` of another. Outputs of a case may hold NaN where values are
// hidden.
void expect_same_lane(const struct fused_case *c, const struct fused_result *got, ptrdiff_t b,
                      const struct fused_result *expected, ptrdiff_t a, int with_output);

#endif
