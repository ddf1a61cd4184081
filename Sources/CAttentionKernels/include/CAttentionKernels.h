// The inner kernels of attention, one table of function pointers per instruction set.
//
// Pointers and counts only: whoever calls has checked that they fit. No kernel allocates, and none keeps state.
// A table is complete for every set: it starts as the scalar one and is overridden with what a set does better.

#ifndef CATTENTIONKERNELS_H
#define CATTENTIONKERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A tile of scores on its way to weights: `rows` rows of `columns` scores, `row_stride` elements apart. Row r sees the
// columns begin[r] ..< end[r], cut to the tile (none where begin[r] >= end[r]). `maximum` and `sum` are the running state of
// each row over the tiles so far (-infinity and 0 before the first). Where hides_by_infinity is 0, no rule has made scores -infinity:
// one that is overflowed, or comes from an infinity, and makes the row's sum NaN, so that it does not pass for a hidden key.
struct CAttentionKernels_softmax_tile_f32 {
  float *scores;
  ptrdiff_t row_stride, rows, columns;
  int hides_by_infinity;
  const int32_t *begin, *end;
  float *maximum, *sum, *rescale;
};
struct CAttentionKernels_softmax_tile_f64 {
  double *scores;
  ptrdiff_t row_stride, rows, columns;
  int hides_by_infinity;
  const int32_t *begin, *end;
  double *maximum, *sum, *rescale;
};

// Rows whose first 2 * `pairs` columns are rotated by pairs, from `source` to `target` (the same row for row, or apart). Pair i is
// columns (i, i + pairs), or (2i, 2i + 1) where `interleaved`; the columns from 2 * pairs to `columns` are copied.
// Row r of every head is rotated by row r of the tables. Heads take turns: `rows_per_turn` (at least 1) rows of the first, the same
// of the second, and so on.
struct CAttentionKernels_rotation {
  const void *source;
  void *target;
  ptrdiff_t heads, rows, rows_per_turn, columns, pairs;
  // From one head or row to the next in bytes, from one column to the next in elements.
  ptrdiff_t source_head_stride, source_row_stride, source_column_stride;
  ptrdiff_t target_head_stride, target_row_stride, target_column_stride;
  // Rows of neighbours, of double where the elements are, else of float; from one row to the next in elements.
  const void *cosines, *sines;
  ptrdiff_t cosine_row_stride, sine_row_stride;
  int interleaved;
};

// Memory that is read soon, as hints: `rows` rows of `bytes` each. Kernels move it on as they ask for rows.
struct CAttentionKernels_ahead {
  const char *next;
  ptrdiff_t stride, bytes, rows;
};
enum { CAttentionKernels_aheads = 4 };

// The rows of a panel in a tensor: row r is query (first + r) / heads of head (first + r) % heads. Columns are neighbours.
struct CAttentionKernels_panel_rows {
  void *base; // query 0 of head 0
  ptrdiff_t query_stride, head_stride; // bytes
  ptrdiff_t heads, first, count;
};

// A panel: `panel_rows` query rows on their way through blocks of keys, each a lane of two vectors, and what is known of them.
// [n] stands for n * panel_rows numbers; best aligned to 64 bytes.
struct CAttentionKernels_panel {
  const float *queries; // [head_dim], or [head_dim / 2] words of bf16 pairs
  float *output;        // [value_dim]: weights times values so far, not divided by their sum
  // [1] each. Weights are 2^(score + shift) with scores in units of log 2; a score above the threshold moves the shift. Before the
  // first block they are 0, -1e29 and 0.
  float *shift, *threshold, *sum;
  float *mass; // [1], of kernels of pairs: the sum of the weights before they were rounded; `sum` is that of the rounded ones
  ptrdiff_t rows; // the lanes from there on are not used
  int has_output; // whether `output` holds anything
  const int32_t *begin, *end; // [1]: the keys that each row sees, counted in the sequence; NULL where all see all
  const float *slopes;        // [1]: ALiBi slopes in units of log 2; NULL for none
  const int64_t *positions;   // [1]: the key that each row stands on, for slopes
};

// A block of keys and values, read where they lie, and what all panels that see it share.
struct CAttentionKernels_block {
  const void *keys, *values;
  ptrdiff_t key_stride, value_stride; // from row to row, in elements (values of bf16 kernels: in words)
  ptrdiff_t first, count;             // the first key's position in the sequence; at most block_keys keys
  ptrdiff_t head_dim, value_dim;
  float factor;   // of products of bf16 pairs; those of f32 take it from their queries
  float softcap;  // in units of log 2; 0 for none
  float *scratch; // `block_scratch` numbers, best aligned to 64 bytes
  struct CAttentionKernels_ahead *ahead; // CAttentionKernels_aheads of them; those with no rows are passed over
};

// What becomes of a panel's output: rows of `value_dim` columns times 1 / sum, or times the factors where there are any.
struct CAttentionKernels_finish {
  const struct CAttentionKernels_panel *panel;
  struct CAttentionKernels_panel_rows rows;
  ptrdiff_t value_dim;
  const float *factors; // [1], or NULL
};

// Rows of keys or values that are read once, where they lie: a row's columns are neighbours, strides count bytes, elements lie at
// multiples of their size. While a row is read, the one 64 rows further on is asked for; after the last row that is one of `next`, the
// rows that will be read after these (the values that belong to keys, say). Only a hint: any address is fine, next_count may be 0.
struct CAttentionKernels_stream {
  const void *rows;
  ptrdiff_t row_stride, count, columns;
  const void *next;
  ptrdiff_t next_stride, next_count;
};

// Scores of queries with a stream of keys: query r is at queries + r * query_stride, its scores go to scores + r * score_stride.
struct CAttentionKernels_products {
  struct CAttentionKernels_stream keys;
  const float *queries;
  ptrdiff_t query_stride, query_count;
  float scale;
  float *scores;
  ptrdiff_t score_stride;
};

// Outputs that a stream of values is added to: row r has a weight for each value at weights + r * weight_stride and is at
// output + r * output_stride. Where rescale is null its factors are 1.
struct CAttentionKernels_sums {
  struct CAttentionKernels_stream values;
  const float *weights;
  ptrdiff_t weight_stride, row_count;
  const float *rescale;
  float *output;
  ptrdiff_t output_stride;
};

struct CAttentionKernels {
  // What the set is called: "scalar", "avx2", "avx512", "avx512bf16", "neon".
  const char *name;

  // Fused attention, a panel of queries by a block of keys at a time.
  //
  // The lanes are queries: scores are the sums K Q', a key element times a vector of queries, outputs V' P'. Keys and values are read as
  // they lie, a number at a time; maxima, sums and rescaling are a lane each, and nothing is reduced across lanes. What a lane comes to
  // depends on its own query, keys and range alone: on no other lane.
  ptrdiff_t panel_rows, tile_keys, block_keys, block_scratch; // block_keys is a multiple of tile_keys
  int dots_bf16_pairs; // whether the CPU multiplies bf16 pairs by itself

  // queries[d * panel_rows + r] = column d of row r times factor; 0 for rows past the panel's.
  void (*pack_panel_f32)(float *queries, const struct CAttentionKernels_panel_rows *rows, ptrdiff_t columns, float factor);
  // Words of columns 2d and 2d + 1, as they are; `columns` is even. exact[r] is 1 where an element of row r is subnormal, or 2^64 and
  // more, else 0: kernels of pairs take the former for 0, and would miss products of the latter with subnormal keys.
  void (*pack_panel_bf16)(float *queries, const struct CAttentionKernels_panel_rows *rows, ptrdiff_t columns,
                          uint8_t *exact);
  // words[j * columns + c] = column c of rows 2j and 2j + 1; 0 past the last row. Strides in elements.
  void (*pack_value_pairs)(float *words, const void *values, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns);
  // Adds what a panel sees of a block to its output and sum. Where a score that counts is NaN or -infinity, the row's sum becomes NaN.
  // Weights times values that are hidden may leave NaN in the output.
  void (*attend_block_f32)(const struct CAttentionKernels_block *block, struct CAttentionKernels_panel *panel);
  void (*attend_block_bf16)(const struct CAttentionKernels_block *block, struct CAttentionKernels_panel *panel);
  // Writes the rows of a panel. finite[r] is 1 where all of row r was finite before rounding, else 0.
  void (*finish_panel_f32)(const struct CAttentionKernels_finish *finish, uint8_t *finite);
  void (*finish_panel_f16)(const struct CAttentionKernels_finish *finish, uint8_t *finite);
  void (*finish_panel_bf16)(const struct CAttentionKernels_finish *finish, uint8_t *finite);

  // Scores become weights exp(score - maximum), in place; columns that a row does not see become 0. Moves maximum and
  // sum on; rescale[r] is the factor exp(old maximum - new maximum) that brings what was summed before to the new scale.
  void (*softmax_tile_f32)(const struct CAttentionKernels_softmax_tile_f32 *tile);
  void (*softmax_tile_f64)(const struct CAttentionKernels_softmax_tile_f64 *tile);

  // y[i] = exp(x[i]) for x[i] <= 0, -infinity included; within 2 ulp, results below the normal range included. NaN stays NaN.
  void (*exp_nonpositive_f32)(const float *x, float *y, ptrdiff_t n);
  void (*exp_nonpositive_f64)(const double *x, double *y, ptrdiff_t n);

  // target[c * target_stride + r] = source[r * source_stride + c] for r < rows, c < columns.
  void (*transpose_f32)(float *target, ptrdiff_t target_stride, const float *source, ptrdiff_t source_stride,
                        ptrdiff_t rows, ptrdiff_t columns);
  void (*transpose_f64)(double *target, ptrdiff_t target_stride, const double *source, ptrdiff_t source_stride,
                        ptrdiff_t rows, ptrdiff_t columns);

  // x[i] *= factor
  void (*scale_f32)(float *x, ptrdiff_t n, float factor);
  void (*scale_f64)(double *x, ptrdiff_t n, double factor);

  // 1 where every x[i] is finite, else 0.
  int (*all_finite_f32)(const float *x, ptrdiff_t n);
  int (*all_finite_f64)(const double *x, ptrdiff_t n);

  // target[i] = target[i] * factor + other[i] * other_factor
  void (*scale_and_add_f32)(float *target, ptrdiff_t n, float factor, const float *other, float other_factor);
  void (*scale_and_add_f64)(double *target, ptrdiff_t n, double factor, const double *other, double other_factor);

  // scores[i] = cap * tanh(scores[i] * inverse_cap), tanh within 4 ulp, never beyond cap. NaN stays NaN; an infinite score
  // gives cap with its sign. Returns 1 where every score was finite before, else 0.
  int (*softcap_f32)(float *scores, ptrdiff_t n, float cap, float inverse_cap);
  int (*softcap_f64)(double *scores, ptrdiff_t n, double cap, double inverse_cap);

  // scores[i] += -slope * |first_distance + i|, the product not rounded where the hardware has fma. i is exact up to 2^24
  // in float, 2^53 in double; the distance is rounded once, not at all where it is an integer up to there.
  void (*add_alibi_f32)(float *scores, ptrdiff_t n, float slope, float first_distance);
  void (*add_alibi_f64)(double *scores, ptrdiff_t n, double slope, double first_distance);

  // scores[i] += bias[i], but -infinity where the bias is, whatever the score.
  void (*add_bias_f32)(float *scores, const float *bias, ptrdiff_t n);
  void (*add_bias_f64)(double *scores, const double *bias, ptrdiff_t n);

  // sum[i] += bias[i], but -infinity where either is: two biases as one.
  void (*combine_bias_f32)(float *sum, const float *bias, ptrdiff_t n);
  void (*combine_bias_f64)(double *sum, const double *bias, ptrdiff_t n);

  // scores[i] = -infinity where visible[i * stride] is 0, whatever the score.
  void (*hide_f32)(float *scores, const uint8_t *visible, ptrdiff_t stride, ptrdiff_t n);
  void (*hide_f64)(double *scores, const uint8_t *visible, ptrdiff_t stride, ptrdiff_t n);

  // target[i] = source[i * stride] * factor, converted to the accumulation type; the stride counts source elements.
  void (*load_f32_from_f32)(float *target, const void *source, ptrdiff_t stride, ptrdiff_t n, float factor);
  void (*load_f32_from_f64)(float *target, const void *source, ptrdiff_t stride, ptrdiff_t n, float factor);
  void (*load_f32_from_f16)(float *target, const void *source, ptrdiff_t stride, ptrdiff_t n, float factor);
  void (*load_f32_from_bf16)(float *target, const void *source, ptrdiff_t stride, ptrdiff_t n, float factor);
  void (*load_f64_from_f32)(double *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  void (*load_f64_from_f64)(double *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  void (*load_f64_from_f16)(double *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  void (*load_f64_from_bf16)(double *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);

  // target[i * stride] = source[i] * factor, rounded to nearest even. Returns 1 where every source[i] * factor is finite
  // before rounding, else 0.
  int (*store_f32_to_f32)(void *target, ptrdiff_t stride, const float *source, ptrdiff_t n, float factor);
  int (*store_f32_to_f16)(void *target, ptrdiff_t stride, const float *source, ptrdiff_t n, float factor);
  int (*store_f32_to_bf16)(void *target, ptrdiff_t stride, const float *source, ptrdiff_t n, float factor);
  int (*store_f64_to_f32)(void *target, ptrdiff_t stride, const double *source, ptrdiff_t n, double factor);
  int (*store_f64_to_f64)(void *target, ptrdiff_t stride, const double *source, ptrdiff_t n, double factor);
  int (*store_f64_to_f16)(void *target, ptrdiff_t stride, const double *source, ptrdiff_t n, double factor);
  int (*store_f64_to_bf16)(void *target, ptrdiff_t stride, const double *source, ptrdiff_t n, double factor);

  // (x[a], x[b]) becomes (x[a] c - x[b] s, x[b] c + x[a] s) for each pair: in float for all types but double, rounded once to the
  // type of the elements. Every set gives the same bits.
  void (*rotate_f32)(const struct CAttentionKernels_rotation *rotation);
  void (*rotate_f64)(const struct CAttentionKernels_rotation *rotation);
  void (*rotate_f16)(const struct CAttentionKernels_rotation *rotation);
  void (*rotate_bf16)(const struct CAttentionKernels_rotation *rotation);

  // scores[r][j] = scale * (query r . key j), in float. The bits depend on the query, the key and the scale alone: not on what else
  // is computed along, nor on where anything lies.
  void (*products_from_f32)(const struct CAttentionKernels_products *products);
  void (*products_from_f16)(const struct CAttentionKernels_products *products);
  void (*products_from_bf16)(const struct CAttentionKernels_products *products);

  // output[r] = rescale[r] * output[r] + the sum over j of weights[r][j] * value j, in float, added in the order of the values.
  // A row's bits depend on nothing of other rows.
  void (*sums_from_f32)(const struct CAttentionKernels_sums *sums);
  void (*sums_from_f16)(const struct CAttentionKernels_sums *sums);
  void (*sums_from_bf16)(const struct CAttentionKernels_sums *sums);
};

// Asks for `bytes` of memory to be in the second-level cache soon. Any address is fine; nothing is read that faults.
void CAttentionKernels_prefetch(const void *from, ptrdiff_t bytes);

// The same for memory that will be written.
void CAttentionKernels_prefetch_for_writing(void *to, ptrdiff_t bytes);

// The table for this CPU: the best set that the CPU and the operating system support, or a lower one where the
// environment variable ATTENTION_KERNELS names it (scalar, avx2, avx512, avx512bf16, neon) at the first call. A name that is unknown or not
// supported here is reported on standard error and has no effect. Safe to call from any thread.
const struct CAttentionKernels *CAttentionKernels_active(void);

// The table of one set, or NULL where this CPU does not support it.
const struct CAttentionKernels *CAttentionKernels_named(const char *name);

// The names of the sets that this CPU supports, lowest first; index from 0, NULL past the last.
const char *CAttentionKernels_name(int index);

#ifdef __cplusplus
}
#endif

#endif
