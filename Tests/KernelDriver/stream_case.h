// Rows of floats and halves as a stream, for each pair of a count and a width.

#ifndef KERNELDRIVER_STREAM_CASE_H
#define KERNELDRIVER_STREAM_CASE_H

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <string.h>

// Up to `most_count` every count, then some around the turns that kernels take.
enum { most_rows = 9, most_count = 40, longest = 130, most_columns = 190, long_counts = 4 };
ptrdiff_t long_count_at(int index);

// Up to 70 every width, then some around those that outputs are computed in at a time.
enum { widths = 75 };
ptrdiff_t columns_at(int index);

// What each pair of sizes is run with, in turn: rows of queries, heads, gaps of strides. Heads lie side by side in a row, or one behind the
// other. Scores and weights of heads lie as far apart as queries and outputs, or further apart, or less far.
struct sizes {
  ptrdiff_t rows, count, columns, heads, stride, head_stride, row_stride, other_stride, work_stride, other_head_stride;
};
struct sizes sizes_of(ptrdiff_t count, ptrdiff_t columns);

// As much as rows of all heads take, which is most_work at most.
enum { most_work = CAttentionKernels_most_heads * (most_rows * (most_columns + 4) + 12) };
ptrdiff_t span_of_heads(const struct sizes *sizes, ptrdiff_t head_stride, ptrdiff_t stride, ptrdiff_t columns);

// Whether a place in the memory of all heads' scores or outputs is one of them, and not between them.
int is_place_of_work(const struct sizes *sizes, ptrdiff_t place, ptrdiff_t head_stride, ptrdiff_t stride, ptrdiff_t columns);

// Rows of the type that end where memory does. What follows them is anywhere: it is a hint.
struct CAttentionKernels_stream stream_of(const struct storage *type, int number, enum edge edge, const struct sizes *sizes,
                                          struct random *random);

// Sizes that are run once more with their rows as a list of runs: every third, of any number of heads and rows.
int is_cut(const struct sizes *sizes);

// The same rows as a list of runs of different lengths, each with some hint of its own.
void cut_into_runs(struct CAttentionKernels_stream *stream, struct CAttentionKernels_run runs[longest]);

float *floats(int number, enum edge edge, ptrdiff_t count, struct random *random);

// Queries: floats, or bf16 for dots of pairs.
float *operands(const struct storage *operand, int number, enum edge edge, ptrdiff_t count, struct random *random);

#endif
