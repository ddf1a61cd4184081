// The inner kernels of attention, one table of function pointers per instruction set.
//
// Pointers and counts only: the caller has checked that they fit. No kernel allocates, and none keeps state.
// Every table is complete: it starts as a copy of the table of the set below it, and overrides the entries that the set computes
// better. The lowest set is scalar, which runs on any CPU.

#ifndef CATTENTIONKERNELS_H
#define CATTENTIONKERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A tile of scores that becomes a tile of weights: `rows` rows of `columns` scores, `row_stride` elements apart. Row r sees the
// columns begin[r] ..< end[r], cut to the tile (none where begin[r] >= end[r]). `maximum` and `sum` are the running state of
// each row over the tiles so far (-infinity and 0 before the first). Where hides_by_infinity is 0, no rule hides keys by a score of
// -infinity: a score of -infinity has then overflowed, or comes from an infinity, and makes the row's sum NaN.
// All four pointers without a type point to elements of the accumulation type.
struct CAttentionKernels_softmax_tile {
  void *scores;
  ptrdiff_t row_stride, rows, columns;
  int hides_by_infinity;
  const int32_t *begin, *end;
  void *maximum, *sum, *rescale;
};

// The row kernels of one accumulation type, float or double: every `void *` without another type in its comment points to elements of
// it. Factors, caps, slopes and distances arrive as double; they have to be numbers of the accumulation type, which double holds
// exactly. A stride counts elements of what it belongs to.
struct CAttentionKernels_rows {
  // Scores become weights exp(score - maximum), in place; columns that a row does not see become 0. Updates maximum and
  // sum; rescale[r] is the factor exp(old maximum - new maximum) that brings what was summed before to the new scale.
  void (*softmax_tile)(const struct CAttentionKernels_softmax_tile *tile);

  // y[i] = exp(x[i]) for x[i] <= 0, -infinity included; within 2 ulp, below the normal range too. NaN stays NaN. x and y may be the
  // same row.
  void (*exp_nonpositive)(const void *x, void *y, ptrdiff_t n);

  // target[c * target_stride + r] = source[r * source_stride + c] for r < rows, c < columns.
  void (*transpose)(void *target, ptrdiff_t target_stride, const void *source, ptrdiff_t source_stride,
                    ptrdiff_t rows, ptrdiff_t columns);

  // x[i] *= factor
  void (*scale)(void *x, ptrdiff_t n, double factor);

  // 1 where every x[i] is finite, else 0.
  int (*all_finite)(const void *x, ptrdiff_t n);

  // target[i] = target[i] * factor + other[i] * other_factor
  void (*scale_and_add)(void *target, ptrdiff_t n, double factor, const void *other, double other_factor);

  // scores[i] = cap * tanh(scores[i] / cap) for any finite cap > 0, subnormal ones included. Never beyond the cap, and within 6 epsilon
  // of the result, or within the smallest normal number where that is more. NaN stays NaN; an infinite score gives the cap with its
  // sign. Returns 1 where every score was finite before, else 0.
  int (*softcap)(void *scores, ptrdiff_t n, double cap);

  // scores[i] += -slope * |first_distance + i|, the product not rounded where the hardware has fma. i is exact up to 2^24
  // in float, 2^53 in double; the distance is rounded once, and not at all where it is an integer up to there.
  void (*add_alibi)(void *scores, ptrdiff_t n, double slope, double first_distance);

  // scores[i] += bias[i], but -infinity where the bias is, whatever the score.
  void (*add_bias)(void *scores, const void *bias, ptrdiff_t n);

  // sum[i] += bias[i], but -infinity where either is: two biases as one.
  void (*combine_bias)(void *sum, const void *bias, ptrdiff_t n);

  // scores[i] = -infinity where visible[i * stride] is 0, whatever the score.
  void (*hide)(void *scores, const uint8_t *visible, ptrdiff_t stride, ptrdiff_t n);

  // target[i] = source[i * stride] * factor. The source is of the entry's storage type, and converted (rounded where it is wider than
  // the accumulation type) before it is multiplied.
  void (*load_from_f32)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  void (*load_from_f64)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  void (*load_from_f16)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  void (*load_from_bf16)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  // Integers are converted exactly and the product with the factor, a row's scale, is rounded once.
  void (*load_from_i8)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);
  // The first n columns of a row of blocks of int4 (see CAttentionKernels_i4_block); the stride is not used. A column is integer * scale of
  // its block, rounded once, times the factor.
  void (*load_from_i4)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);

  // The first n columns of a row of two planes whose low bytes lie `low` bytes behind its high ones: (high + low / 256) * factor, rounded once.
  void (*load_from_planes)(void *target, const void *high, ptrdiff_t low, ptrdiff_t n, double factor);

  // target[i * stride] = source[i] * factor, where the target is of the entry's storage type: the product is rounded to the
  // accumulation type, then to the storage type, to nearest even. Returns 1 where every product is finite before it is rounded to the
  // storage type, else 0.
  int (*store_to_f32)(void *target, ptrdiff_t stride, const void *source, ptrdiff_t n, double factor);
  int (*store_to_f64)(void *target, ptrdiff_t stride, const void *source, ptrdiff_t n, double factor);
  int (*store_to_f16)(void *target, ptrdiff_t stride, const void *source, ptrdiff_t n, double factor);
  int (*store_to_bf16)(void *target, ptrdiff_t stride, const void *source, ptrdiff_t n, double factor);
};

// A row of int4 is blocks of 32 columns: a scale and 32 integers of 4 bits, -8 to 7, in two's complement. Column c of a block is scale times
// the low half of byte c where c < 16, the high half of byte c - 16 elsewhere. The last block is whole: columns past the row's are 0.
// A block lies at a multiple of 4 bytes.
enum { CAttentionKernels_i4_columns = 32, CAttentionKernels_i4_bytes = 20 };
struct CAttentionKernels_i4_block {
  float scale;
  uint8_t pairs[16];
};

// A row of two planes has numbers of 16 bits: column c is scale * (high[c] + low[c] / 256), both signed bytes, so that the high byte alone is
// the nearest number of 8 bits. The low bytes of a row lie as the high ones do, at a distance that is the same for all rows.

// What the low bytes of some keys add to scores of queries of int16:
// scores[r * score_stride + chosen[i]] += scale * query_scales[r] * scales[chosen[i]] / 256 * (query r . low bytes of key chosen[i]).
struct CAttentionKernels_low_products {
  // The keys, run by run: their high bytes, and scales that are neighbours. Further fields of runs are not used.
  const struct CAttentionKernels_run *runs;
  ptrdiff_t low; // from a high byte to its low byte, in bytes
  ptrdiff_t row_stride, columns;
  const int32_t *chosen; // rising
  ptrdiff_t count;       // CAttentionKernels_most_chosen at most
  const int16_t *queries; // query r at queries + r * query_stride
  ptrdiff_t query_stride, query_count;
  const float *query_scales;
  float scale;
  float *scores;
  ptrdiff_t score_stride;
};

// By how much weights can be off where only the high bytes of keys were read. Of each key, `lengths` has two bf16 numbers in a word: in its low
// half the length of the row, in its high half that of what its low bytes hold, as quantize_planes writes them. Score j is off by at most
// d[j] = norm_factor * low half + residual_factor * high half, and a weight exp(score) by at most
// terms[j] = exp(scores[j] - maximum) * (exp(d[j]) - 1), in units of exp(maximum), the largest score.
struct CAttentionKernels_bound_terms {
  const float *scores; // -infinity for a key that is hidden
  const void *lengths; // neighbours
  ptrdiff_t count;
  // From 0 to 2^127. One that is neither 0 nor as large as 2^-126 may count as 2^-126.
  float norm_factor, residual_factor;
  float *terms;
  // Results: the maximum is -infinity, sum and total are 0 where all keys are hidden. The sum is that of the weights, the total that of the terms.
  float maximum, sum, total;
};

// Which keys' low bytes are read: those whose term is above the row's threshold in some row.
struct CAttentionKernels_choice {
  const float *terms; // row r at terms + r * term_stride
  ptrdiff_t term_stride, rows, count;
  const float *thresholds; // one a row
  int32_t *chosen;         // room for `count`
  float *rest;             // of each row the sum of the terms of keys that are not chosen
};
enum { CAttentionKernels_thresholds = 8, CAttentionKernels_most_chosen = 1024 };

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

// Memory to prefetch: `rows` rows of `bytes` each. Kernels advance it past the rows that they have prefetched.
struct CAttentionKernels_hint {
  const char *next;
  ptrdiff_t stride, bytes, rows;
};
enum { CAttentionKernels_hint_count = 6 };

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
  // [1] each: the running softmax. A score x has the weight 2^((x - origin) * factor + shift), with the block's factor and no rounding of
  // the product: of scores that are close to each other nothing is lost, whatever their size. Shifts are whole numbers: what is rescaled
  // is rescaled exactly. The origin is 0 but where scores are huge. A score above the threshold moves the shift, or the origin too where
  // all weights so far vanish beside its own. Before the first block origin and threshold are -infinity, shift and sum 0.
  float *origin, *shift, *threshold, *sum;
  float *mass; // [1], of attend_block_bf16_with_mass: the sum of the weights before they were rounded; `sum` is that of the rounded ones
  ptrdiff_t rows; // the lanes from there on are not used
  int has_output; // whether `output` holds anything
  int has_origin; // whether an origin is neither 0 nor -infinity
  const int32_t *begin, *end; // [1]: the keys that each row sees, counted in the sequence; NULL where all see all
  const float *slopes;        // [1]: ALiBi slopes in the units of scores; NULL for none
  const int64_t *positions;   // [1]: the key that each row stands on, for slopes
  // Of the keys of the block that is attended, made by pack_bias and pack_visible; NULL for none. bias[j * panel_rows + r] is added to row r's
  // score of key j, in the units of scores. Bit r of visible[j] is set where row r sees key j, as far as its range lets it.
  const float *bias;
  const uint32_t *visible;
};

// A block of keys and values, read where they lie, and what all panels that see it share.
struct CAttentionKernels_block {
  const void *keys, *values;
  ptrdiff_t key_stride, value_stride; // from row to row, in elements (values of bf16 kernels: in words)
  ptrdiff_t first, count;             // the first key's position in the sequence; at most block_keys keys
  ptrdiff_t head_dim, value_dim;
  // Both at least 0. A score is the product times scale, then softcap, bias and ALiBi; times factor it is in units of log 2. A scale of 1, which
  // spares a multiplication, leaves the scaling to the factor; caps, biases and slopes then count in units of products.
  float scale, factor;
  float softcap;  // 0 for none
  float *scratch; // `block_scratch` numbers, best aligned to 64 bytes
  struct CAttentionKernels_hint *hints; // CAttentionKernels_hint_count of them; those with no rows are passed over
  ptrdiff_t hint_rows; // how many of their rows a tile prefetches
};

// What becomes of a panel's output: rows of `value_dim` columns times 1 / sum, or times the factors where there are any.
struct CAttentionKernels_finish {
  const struct CAttentionKernels_panel *panel;
  struct CAttentionKernels_panel_rows rows;
  ptrdiff_t value_dim;
  const float *factors; // [1], or NULL
};

// Rows of keys or values that are read once, where they lie: a row's columns are neighbours, strides count bytes, elements lie at
// multiples of their size. Row i of head h is at rows + h * head_stride + i * row_stride. Several heads are read row by row and
// head by head: where a token's heads lie side by side, that is the order of memory.
//
// While row i is read, row i + distance is prefetched; past the last row that is a row of `next`: the rows that will be read after these,
// such as the values that belong to keys. Where is_short is not 0, there are fewer rows than the distance, and row i of `next` is
// prefetched while row i is read: short runs lie apart. `next` is only a hint: any address is fine, and next_count may be 0.
struct CAttentionKernels_stream {
  const void *rows;
  ptrdiff_t row_stride, count, columns;
  ptrdiff_t heads, head_stride; // 1 to CAttentionKernels_most_heads heads
  // Of int8 only: the scale of row i of head h is at scales + h * scale_head_stride + i * scale_stride. Both strides count bytes;
  // neighbours are read fastest.
  const void *scales;
  ptrdiff_t scale_stride, scale_head_stride;
  ptrdiff_t distance;
  const void *next;
  ptrdiff_t next_stride, next_count;
  int is_short;
  // Runs of rows that follow these in the same strides: pages, say. What is said of rows above is said of each by itself.
  const struct CAttentionKernels_run *more;
  ptrdiff_t more_count;
};
struct CAttentionKernels_run {
  const void *rows, *scales;
  ptrdiff_t count;
  const void *next;
  ptrdiff_t next_stride, next_count;
  int is_short;
};
// The most heads that are read together: with 16 sums of 64 bytes a head, what waits to be reduced takes 8 KiB.
enum { CAttentionKernels_most_heads = 8 };

// Scores of queries with a stream of keys: query r is at queries + r * query_stride, its scores go to scores + r * score_stride; for head h
// the query and its scale lie h * work_stride floats further on, the scores h * score_head_stride.
struct CAttentionKernels_products {
  struct CAttentionKernels_stream keys;
  const void *queries; // floats; bf16 or int16 for dots. The stride counts these.
  ptrdiff_t query_stride, query_count;
  // Of int16 only: query r is integers times query_scales[r]; for head h they lie h * work_stride floats further on.
  const float *query_scales;
  float scale;
  float *scores;
  ptrdiff_t score_stride, work_stride, score_head_stride;
};

// Outputs to which weighted values of a stream are added: row r of the output is at output + r * output_stride, its weights, one for
// each value, at weights + r * weight_stride; for head h the output and the factors lie h * work_stride floats further on, the weights
// h * weight_head_stride. Where `rescale` is NULL all its factors are 1.
struct CAttentionKernels_sums {
  struct CAttentionKernels_stream values;
  const float *weights;
  ptrdiff_t weight_stride, row_count;
  const float *rescale;
  float *output;
  ptrdiff_t output_stride, work_stride, weight_head_stride;
};

// Rows of inputs times a weight whose outputs lie in panels: output[r][o] = sum over k of input[r][k] * weight[o][k], plus bias[o] where
// there is a bias, plus what output[r][o] holds where `adds` is not 0.
//
// A panel has CAttentionKernels_linear_outputs outputs; the last one is filled up with zeros. What it holds of input k of f32 and f16, or of
// inputs 2k and 2k + 1 of bf16, for all of its outputs are neighbours: word k * outputs + o. Weights of i8 come in blocks of
// CAttentionKernels_linear_block inputs: a scale of f16 for each output, then integers in pairs as those of bf16. What is past the last
// input is 0.
enum {
  CAttentionKernels_linear_outputs = 64,
  CAttentionKernels_linear_block = 32,
  CAttentionKernels_linear_block_bytes = CAttentionKernels_linear_outputs * (2 + CAttentionKernels_linear_block),
};
struct CAttentionKernels_linear {
  // Floats; for bf16 what linear_inputs_bf16 makes of them, for i8 what linear_inputs_i16 does. The stride counts bytes, that of scales floats.
  const void *inputs;
  ptrdiff_t input_stride, rows, inputs_per_row;
  const float *input_scales;
  ptrdiff_t scale_stride;
  const void *panels; // that of output 0
  ptrdiff_t panel_stride; // bytes
  ptrdiff_t output_count, first_output, end_output; // `first_output` begins a panel, `end_output` begins one or is at the end
  const float *bias; // or NULL
  int adds;
  float *outputs; // output 0
  ptrdiff_t output_stride;
};

struct CAttentionKernels {
  // The name of the set: "scalar", "avx2", "avx512", "avx512vnni", "avx512bf16", "neon".
  const char *name;

  // Fused attention, a panel of queries by a block of keys at a time.
  //
  // The lanes are queries: scores are the sums K Q', a key element times a vector of queries, outputs V' P'. Keys and values are read as
  // they lie, a number at a time; maxima, sums and rescaling are a lane each, and nothing is reduced across lanes. What a lane comes to
  // depends on its own query, keys and range alone: on no other lane.
  ptrdiff_t panel_rows, tile_keys, block_keys, block_scratch; // block_keys is a multiple of tile_keys
  int dots_bf16_pairs; // whether the CPU multiplies bf16 pairs by itself

  // queries[d * panel_rows + r] = column d of row r, negated where `negates` is not 0; 0 for rows past the panel's.
  void (*pack_panel_f32)(float *queries, const struct CAttentionKernels_panel_rows *rows, ptrdiff_t columns, int negates);
  // Words of columns 2d and 2d + 1, likewise; `columns` is even. exact[r] is 1 where an element of row r is subnormal, or of a size above
  // `limit`, else 0: kernels of pairs take the former for 0, and would miss products of the latter with subnormal keys.
  void (*pack_panel_bf16)(float *queries, const struct CAttentionKernels_panel_rows *rows, ptrdiff_t columns, int negates,
                          float limit, uint8_t *exact);
  // tile[j * panel_rows + r] = column j of row r of an additive mask of `keys` columns, added to what the tile holds where `adds` is not 0.
  // -infinity clears bit r of visible[j]. What is finite, or adds up to less, is at least -0x1.5p127: differences to scores then stay
  // finite. The stride counts elements; 0 for the same number in all columns. `rows` are addresses of the first column.
  void (*pack_bias_f32)(float *tile, uint32_t *visible, const struct CAttentionKernels_panel_rows *rows,
                        ptrdiff_t column_stride, ptrdiff_t keys, int adds);
  void (*pack_bias_f64)(float *tile, uint32_t *visible, const struct CAttentionKernels_panel_rows *rows,
                        ptrdiff_t column_stride, ptrdiff_t keys, int adds);
  void (*pack_bias_f16)(float *tile, uint32_t *visible, const struct CAttentionKernels_panel_rows *rows,
                        ptrdiff_t column_stride, ptrdiff_t keys, int adds);
  void (*pack_bias_bf16)(float *tile, uint32_t *visible, const struct CAttentionKernels_panel_rows *rows,
                         ptrdiff_t column_stride, ptrdiff_t keys, int adds);
  // Clears bit r of visible[j] where column j of row r of a boolean mask is 0; all other bits stay. Strides as above.
  void (*pack_visible)(uint32_t *visible, const struct CAttentionKernels_panel_rows *rows, ptrdiff_t column_stride,
                       ptrdiff_t keys);
  // words[j * columns + c] = column c of rows 2j and 2j + 1; 0 past the last row. Strides in elements.
  void (*pack_value_pairs)(float *words, const void *values, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns);
  // Adds what a panel sees of a block to its output and sum. Where a score that counts is NaN or -infinity, the row's sum becomes NaN.
  // Weights times values that are hidden may leave NaN in the output.
  void (*attend_block_f32)(const struct CAttentionKernels_block *block, struct CAttentionKernels_panel *panel);
  void (*attend_block_bf16)(const struct CAttentionKernels_block *block, struct CAttentionKernels_panel *panel);
  // The same to the last bit, and the panel's mass, which log-sum-exp asks for: exponentials that are exact enough for it, beside those that
  // are rounded to bf16.
  void (*attend_block_bf16_with_mass)(const struct CAttentionKernels_block *block, struct CAttentionKernels_panel *panel);
  // Writes the rows of a panel. finite[r] is 1 where all of row r was finite before rounding, else 0.
  void (*finish_panel_f32)(const struct CAttentionKernels_finish *finish, uint8_t *finite);
  void (*finish_panel_f16)(const struct CAttentionKernels_finish *finish, uint8_t *finite);
  void (*finish_panel_bf16)(const struct CAttentionKernels_finish *finish, uint8_t *finite);

  // The row kernels of both accumulation types.
  struct CAttentionKernels_rows f32, f64;

  // (x[a], x[b]) becomes (x[a] c - x[b] s, x[b] c + x[a] s) for each pair: in float for all types but double, rounded once to the
  // type of the elements. Every set gives the same bits.
  void (*rotate_f32)(const struct CAttentionKernels_rotation *rotation);
  void (*rotate_f64)(const struct CAttentionKernels_rotation *rotation);
  void (*rotate_f16)(const struct CAttentionKernels_rotation *rotation);
  void (*rotate_bf16)(const struct CAttentionKernels_rotation *rotation);

  // scores[r][j] = scale * (query r . key j), in float; the scale of a key of int8 comes last. The bits depend on the query, the key and the scale alone: not on what else
  // is computed along, nor on where anything lies.
  void (*products_from_f32)(const struct CAttentionKernels_products *products);
  void (*products_from_f16)(const struct CAttentionKernels_products *products);
  void (*products_from_bf16)(const struct CAttentionKernels_products *products);
  void (*products_from_i8)(const struct CAttentionKernels_products *products);
  void (*products_from_i4)(const struct CAttentionKernels_products *products);

  // output[r] = rescale[r] * output[r] + the sum over j of weights[r][j] * value j, in float, added in the order of the values. The scale of a
  // value of int8 multiplies its weight first, and that is rounded.
  // A row's bits depend on nothing of other rows.
  void (*sums_from_f32)(const struct CAttentionKernels_sums *sums);
  void (*sums_from_f16)(const struct CAttentionKernels_sums *sums);
  void (*sums_from_bf16)(const struct CAttentionKernels_sums *sums);
  void (*sums_from_i8)(const struct CAttentionKernels_sums *sums);
  void (*sums_from_i4)(const struct CAttentionKernels_sums *sums);

  // Scores of pairs of bf16, which the CPU multiplies; NULL where dots_bf16_pairs is 0. Subnormal operands count as 0. Queries are bf16.
  void (*dot_products_from_bf16)(const struct CAttentionKernels_products *products);

  // Scores of queries of int16 with keys of int8: the sum of products of integers is exact and comes to float, 480 columns at a time, which
  // 32 bits hold; such sums are added as floats in their order. Then the scale, the query's and the key's multiply it, in this order. Every
  // set gives the same bits.
  void (*dot_products_from_i8)(const struct CAttentionKernels_products *products);

  // Quantise n floats: target[i] = source[i] / scale, rounded to the nearest integer, ties to even, where the scale is the largest size of a
  // number divided by 127 (int8) or 32767 (int16), both divisions in float; where that is 0, so are the integers. A scale that is subnormal,
  // and so not exact, may leave quotients beyond these bounds: they are cut to them. Return the scale; NaN where a number is not finite,
  // and the target is then anything. Every set gives the same bits.
  float (*quantize_i8)(int8_t *target, const float *source, ptrdiff_t n);
  float (*quantize_i16)(int16_t *target, const float *source, ptrdiff_t n);
  // The same in blocks of int4, of which each has a scale of its own, the largest size divided by 7. Returns 1 where all numbers are finite,
  // else 0, and the target is then anything.
  int (*quantize_i4)(void *blocks, const float *source, ptrdiff_t n);

  // Quantise n floats to two planes. The unit is the largest size of a number divided by 32639, in float; integers are the numbers divided by it,
  // rounded to the nearest, ties to even, and cut to -32639 ... 32639; where the unit is 0, so are they. An integer is 256 * high + low with low in
  // -128 ... 127, so that high is in -127 ... 127. Returns the scale, 256 units; NaN where a number is not finite, and all else is then anything.
  // *lengths are two bf16 numbers, rounded up from exact ones, those that are not 0 to at least 2^-126: in the low half the unit times the length
  // of the row of integers, in the high half that of the row of low bytes. Every set gives the same bits.
  float (*quantize_planes)(int8_t *high, int8_t *low, uint32_t *lengths, const float *source, ptrdiff_t n);

  // The products of 480 columns at a time, or of what is left, add up exactly and come to float; scale / 256, the query's and the key's multiply it,
  // in this order, and that is added to the score. Every set gives the same bits.
  void (*products_from_low)(const struct CAttentionKernels_low_products *products);

  // The largest low half of n words as quantize_planes writes them; 0 of none. High halves are finite.
  float (*largest_length)(const void *lengths, ptrdiff_t n);

  // Sum, total and terms are no less than exact, but what is below 2^-100 may become 0. The sum is less than 1e-4 of itself more; terms and
  // total are less than 1e-4 more than a d that is 2^-7 of itself larger makes them. Where d is more than 11, a term's exponent,
  // score - maximum + d, may besides be larger by 2^-19 of d + maximum - score. A term that is beyond the largest float is infinite. Scores
  // other than -infinity are finite, else results are anything.
  void (*bound_terms)(struct CAttentionKernels_bound_terms *bound);

  // sums[k] += the sum of those terms that are not above thresholds[k], for CAttentionKernels_thresholds rising thresholds: added in float, a
  // chain for every lane.
  void (*sums_below)(const float *terms, ptrdiff_t n, const float *thresholds, float *sums);

  // Returns how many keys were chosen; writes their numbers, rising, and the sums of the rest: within 1e-5 of themselves for up to 9000 keys.
  ptrdiff_t (*choose)(const struct CAttentionKernels_choice *choice);

  // Rows of integers times their scales, rounded to bf16: row i goes to target + i * columns. `source_stride` and `scale_stride` count bytes.
  // NaN and infinity in a scale come through; results below the normal range may become 0. int4 has its own scales.
  void (*bf16_rows_from_i8)(uint16_t *target, const void *source, ptrdiff_t source_stride, const void *scales,
                            ptrdiff_t scale_stride, ptrdiff_t rows, ptrdiff_t columns);
  void (*bf16_rows_from_i4)(uint16_t *target, const void *source, ptrdiff_t source_stride, ptrdiff_t rows,
                            ptrdiff_t columns);

  // Rows times a weight, sums in float in the order of the inputs. A row's bits depend on the row and the weight alone. Products of bf16 are
  // exact, but subnormal operands may count as 0; those of integers, and their sums within a block, are exact.
  void (*linear_f32)(const struct CAttentionKernels_linear *linear);
  void (*linear_f16)(const struct CAttentionKernels_linear *linear);
  void (*linear_bf16)(const struct CAttentionKernels_linear *linear);
  void (*linear_i8)(const struct CAttentionKernels_linear *linear);

  // Fills a panel from `outputs` rows (at most a panel's) of `inputs` floats, `row_stride` floats apart: rounded to nearest even. For i8, a scale is
  // the largest size of a block divided by 127, rounded up to f16; returns 1 where all scales are finite, else 0, and the panel is then
  // anything. Blocks that were integers times a scale of f16 before come back exactly where the largest size among the integers is 127, and
  // where it is 8 or 16: an eighth or a sixteenth of the largest number is then the scale.
  void (*pack_linear_f32)(void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs, ptrdiff_t inputs);
  void (*pack_linear_f16)(void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs, ptrdiff_t inputs);
  void (*pack_linear_bf16)(void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs, ptrdiff_t inputs);
  int (*pack_linear_i8)(void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs, ptrdiff_t inputs);

  // A row of inputs as bf16, up to an even number, and as int16 in blocks with a scale each, up to whole blocks; 0 past the row. Returns 1
  // where all numbers are finite, else 0, and integers and scales are then anything.
  void (*linear_inputs_bf16)(void *target, const float *x, ptrdiff_t n);
  int (*linear_inputs_i16)(void *target, float *scales, const float *x, ptrdiff_t n);

  // y[i] = x[i] weight[i] / sqrt(mean of x² + epsilon). y may be x, here and below. Squares are floats: where their sum is beyond the largest one, what is
  // finite becomes 0.
  void (*rms_norm)(float *y, const float *x, const float *weight, ptrdiff_t n, float epsilon);
  // y[i] = (x[i] - mean of x) weight[i] / sqrt(variance of x + epsilon) + bias[i]
  void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias, ptrdiff_t n, float epsilon);
  // y[i] = f(x[i]) * factors[i], or f(x[i]) where `factors` is NULL; y may be x or factors. silu(x) = x / (1 + exp(-x)); gelu is x / 2 times
  // 1 + erf(x / √2), or times 1 + tanh(√(2/π) (x + 0.044715 x³)). f is within 2.5e-7 of the larger of 1 and its size; NaN where x is NaN or
  // -infinity, as the formulas give.
  void (*silu)(float *y, const float *x, const float *factors, ptrdiff_t n);
  void (*gelu_tanh)(float *y, const float *x, const float *factors, ptrdiff_t n);
  void (*gelu_erf)(float *y, const float *x, const float *factors, ptrdiff_t n);
  // The first index of the largest number; 0 where there is none. NaN is never the largest.
  ptrdiff_t (*argmax)(const float *x, ptrdiff_t n);
};

// Prefetches `bytes` of memory into the second-level cache. Any address is fine: a prefetch does not fault.
void CAttentionKernels_prefetch(const void *from, ptrdiff_t bytes);

// The same for memory that will be written.
void CAttentionKernels_prefetch_for_writing(void *to, ptrdiff_t bytes);

// The table for this CPU: the fastest set that the CPU and the operating system support. That is the highest, but on CPUs with AMX avx512vnni
// in place of avx512bf16. The environment variable ATTENTION_KERNELS names another one (scalar, avx2, avx512, avx512vnni, avx512bf16, neon)
// at the first call. A name that is unknown or not supported here is reported on standard error and has no effect. Safe to call from any thread, as are
// the two functions below.
const struct CAttentionKernels *CAttentionKernels_active(void);

// The table of one set, or NULL where this CPU does not support it.
const struct CAttentionKernels *CAttentionKernels_named(const char *name);

// The names of the sets that this CPU supports, lowest first; index from 0, NULL past the last.
const char *CAttentionKernels_name(int index);

#ifdef __cplusplus
}
#endif

#endif
