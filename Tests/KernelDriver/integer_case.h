// Rows of int8 with scales, or of blocks of int4, as a stream, for each pair of a count and a width.

#ifndef KERNELDRIVER_INTEGER_CASE_H
#define KERNELDRIVER_INTEGER_CASE_H

#include "check.h"
#include "integers.h"
#include "memory.h"

struct integer_case {
  int is_i4;
  // Scores and weights of heads lie as far apart as queries and outputs, or further apart, or less far.
  ptrdiff_t rows, heads, gap, work_stride, other_head_stride;
  struct CAttentionKernels_stream stream;
};

// Every width and every count up to what vectors take, then some around strips, turns and blocks.
ptrdiff_t integer_columns_at(int index);
ptrdiff_t integer_count_at(int index);
enum { integer_widths = 83, integer_counts = 27 };
#define FOR_EACH_INTEGER_SIZE(count, columns)                                                                \
  for (int columns##_i = 0; columns##_i < integer_widths; columns##_i++)                                     \
    for (ptrdiff_t columns = integer_columns_at(columns##_i), count##_i = 0, count;                          \
         count##_i < integer_counts && (count = integer_count_at((int)count##_i), 1); count##_i++)

// In rooms 0 and 1. Heads lie side by side in a row, or one behind the other; so do scales, which may be neighbours.
struct integer_case integer_case_of(int is_i4, ptrdiff_t count, ptrdiff_t columns, enum edge edge, struct random *random);
void begin_integer_case(const struct integer_case *c);

// The integer of column d of row i of head h, its scale, and both as one exact number.
int integer_of(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d);
float scale_of(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d);
double integer_value(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d);
void set_integer(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d, int integer);
void set_scale(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, ptrdiff_t d, float scale);

// A row alone, in memory of another alignment: in two rooms from `number` on.
struct CAttentionKernels_stream one_row_elsewhere(const struct integer_case *c, ptrdiff_t h, ptrdiff_t i, int number,
                                                  enum edge edge);

float *random_floats(int number, enum edge edge, ptrdiff_t count, struct random *random);

#endif
