// A random call: operands, options, and what they say in plain numbers.

#ifndef CFACE_PROBLEM_H
#define CFACE_PROBLEM_H

#include "reference.h"
#include "sources.h"

enum { most_heads = 16, most_masks = 2 };

struct problem {
  char text[240];
  attention_queries queries;
  attention_options options;
  struct source source;
  // Whether the contract's bounds for numbers of unit variance and plain scores hold.
  int is_plain;

  int64_t batch, query_heads, query_count, total_queries;
  int64_t query_lengths[most_sequences];
  struct room query_room;
  double scale, slopes[most_heads], sinks[most_heads];
  int64_t offsets[most_sequences], window_left, window_right;
  struct room mask_rooms[most_masks];
  attention_tensor masks[most_masks];

  struct reference reference;
  double *q, *k, *v, *bias;
  unsigned char *hidden;
  int64_t resolved_offsets[most_sequences];
};

// `work` bounds the products of a call.
struct problem *draw_problem(uint64_t seed, int64_t work);
void free_problem(struct problem *problem);
// The part of it in options.c.
void draw_options(struct random *random, struct problem *problem);

// Places for its results.
struct results {
  struct room output, log_sum_exp;
};
struct results make_results(const struct problem *problem, enum layout output, enum layout log_sum_exp);
void free_results(struct results *results);

// The element of the results that is row `query` of a sequence.
double output_number(const struct problem *problem, const struct results *results, int64_t sequence,
                     int64_t head, int64_t query, int64_t column);
double log_sum_exp_number(const struct problem *problem, const struct results *results, int64_t sequence,
                          int64_t head, int64_t query);

#endif
