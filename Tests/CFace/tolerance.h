// What a problem's results must be, and how near.

#ifndef CFACE_TOLERANCE_H
#define CFACE_TOLERANCE_H

#include "problem.h"

struct expected {
  double *output, *log_sum_exp;
  double output_bound, log_sum_exp_bound;
};
struct expected expected_of(const struct problem *problem);
// The same for plain numbers: the types of queries, keys and values, and whether bounds for unit variance
// hold.
struct expected expected_of_numbers(const struct reference *reference, attention_type queries,
                                    attention_type keys, attention_type values, int is_plain);
void free_expected(struct expected *expected);

#endif
