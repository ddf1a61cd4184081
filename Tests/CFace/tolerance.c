// The contract of the library about precision, as bounds.

#include "tolerance.h"

#include <math.h>
#include <stdlib.h>

static double exact(double x) { return x; }
static double in_f32(double x) { return (double)(float)x; }
static double in_f16(double x) { return rounded_to(ATTENTION_FLOAT16, x); }
static double in_bf16(double x) { return rounded_to(ATTENTION_BFLOAT16, x); }

static double *doubles(int64_t count) {
  double *memory = calloc((size_t)count + 1, sizeof *memory);
  if (!memory)
    exit(2);
  return memory;
}

static double largest(const double *x, int64_t count) {
  double most = 0;
  for (int64_t i = 0; i < count; i++)
    most = fmax(most, fabs(x[i]));
  return most;
}

static double largest_difference(const double *x, const double *y, int64_t count) {
  double most = 0;
  for (int64_t i = 0; i < count; i++)
    if (x[i] != y[i])
      most = fmax(most, fabs(x[i] - y[i]));
  return most;
}

static double *all_rounded(const double *x, int64_t count, double (*rounded)(double)) {
  double *result = doubles(count);
  for (int64_t i = 0; i < count; i++)
    result[i] = rounded(x[i]);
  return result;
}

// Double: 2^-53 of each of depth + keys terms, scores and sums of which are some ten in size, and as much
// again for each function.
static void bound_doubles(const struct reference *r, struct expected *e, int64_t rows) {
  e->output_bound = 0x1p-53 * 16 * (double)(r->depth + r->keys + 16);
  e->log_sum_exp_bound = e->output_bound;
  for (int64_t row = 0; row < rows; row++)
    if (isfinite(e->log_sum_exp[row]))
      e->log_sum_exp_bound = fmax(e->log_sum_exp_bound, fabs(e->log_sum_exp[row]) * 0x1p-50);
}

struct expected expected_of_numbers(const struct reference *r, attention_type queries, attention_type keys,
                                    attention_type values, int is_plain) {
  const int64_t rows = r->batch * r->query_heads * r->queries, count = rows * r->width;
  struct expected e = {.output = doubles(count), .log_sum_exp = doubles(rows)};
  reference_attention(r, exact, e.output, e.log_sum_exp);
  if (queries == ATTENTION_FLOAT64) {
    bound_doubles(r, &e, rows);
    return e;
  }
  // Twice what the plain steps in the queries' type err, on keys and values of that type, and 1e-5.
  double (*const in_type)(double) = queries == ATTENTION_FLOAT32   ? in_f32
                                    : queries == ATTENTION_FLOAT16 ? in_f16
                                                                   : in_bf16;
  double *naive = doubles(count), *sums = doubles(rows);
  double *k = all_rounded(r->k, r->batch * r->heads * r->keys * r->depth, in_type);
  double *v = all_rounded(r->v, r->batch * r->heads * r->keys * r->width, in_type);
  struct reference in_type_of_queries = *r;
  in_type_of_queries.k = k;
  in_type_of_queries.v = v;
  reference_attention(&in_type_of_queries, in_type, naive, sums);
  free(k);
  free(v);
  e.output_bound = 2 * largest_difference(naive, e.output, count) + 1e-5;
  e.log_sum_exp_bound = 2 * largest_difference(sums, e.log_sum_exp, rows) + 1e-5;
  free(naive);
  free(sums);
  const int has_integers = keys == ATTENTION_INT8 || values == ATTENTION_INT8;
  if (queries == ATTENTION_FLOAT32 && is_plain && !has_integers)
    e.output_bound = keys == ATTENTION_FLOAT32 && values == ATTENTION_FLOAT32 ? 2e-6 : 2e-5;
  if (has_integers) {
    e.output_bound += 0x1p-14 * largest(r->v, r->batch * r->heads * r->keys * r->width);
    // A query's numbers rounded to 15 bits of its largest, times the keys.
    e.log_sum_exp_bound += 0x1p-15 * fabs(r->scale) * (double)r->depth *
                           largest(r->q, r->batch * r->query_heads * r->queries * r->depth) *
                           largest(r->k, r->batch * r->heads * r->keys * r->depth);
  }
  return e;
}

struct expected expected_of(const struct problem *p) {
  return expected_of_numbers(&p->reference, p->queries.tensor.type, p->source.sizes.keys,
                             p->source.sizes.values, p->is_plain);
}

void free_expected(struct expected *expected) {
  free(expected->output);
  free(expected->log_sum_exp);
}
