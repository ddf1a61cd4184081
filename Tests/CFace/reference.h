// Attention straight from the formula, in double, over rows of double. It knows nothing of the library.

#ifndef CFACE_REFERENCE_H
#define CFACE_REFERENCE_H

#include <stdint.h>

struct reference {
  int64_t batch, query_heads, heads, queries, keys, depth, width;
  // [B, Hq, Tq, D], [B, Hkv, Tk, D], [B, Hkv, Tk, Dv], row-major.
  const double *q, *k, *v;
  // One a sequence: how many queries and keys it has, and the key that query 0 stands on.
  const int64_t *query_lengths, *key_lengths, *offsets;
  double scale;
  // 0 for none.
  double softcap;
  int causal;
  // Negative where unbounded.
  int64_t left, right;
  // Keys that a window never hides.
  int64_t keeping_first;
  // [B, Hq, Tq, Tk]: added, and hidden where not 0; NULL for none.
  const double *bias;
  const unsigned char *hidden;
  // One a query head; NULL for none.
  const double *slopes, *sinks;
  double (*modify)(double score, int64_t sequence, int64_t head, int64_t query, int64_t key);
};

// Output [B, Hq, Tq, Dv] and log-sum-exp [B, Hq, Tq]. Every score, weight and result goes through `rounded`:
// the identity for the exact answer, the rounding of a type for what the three plain steps give in it.
void reference_attention(const struct reference *reference, double (*rounded)(double), double *output,
                         double *log_sum_exp);

// What the merge of such results over disjoint keys gives.
void reference_merge(int64_t parts, int64_t rows, int64_t width, const double *const *outputs,
                     const double *const *log_sum_exps, double *output, double *log_sum_exp);

#endif
