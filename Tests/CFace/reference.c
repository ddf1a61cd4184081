// See reference.h.

#include "reference.h"

#include <math.h>
#include <stdlib.h>

struct place {
  int64_t sequence, head, query, key, row;
};

static int is_visible(const struct reference *r, struct place p, int64_t index) {
  const int64_t position = p.query + r->offsets[p.sequence];
  if (p.key >= r->key_lengths[p.sequence])
    return 0;
  if (r->causal && p.key > position)
    return 0;
  const int is_in_window =
      (r->left < 0 || p.key >= position - r->left) && (r->right < 0 || p.key <= position + r->right);
  if (!is_in_window && p.key >= r->keeping_first)
    return 0;
  return !(r->hidden && r->hidden[index]);
}

static double score(const struct reference *r, struct place p, int64_t index, double (*rounded)(double)) {
  const int64_t group = r->query_heads / r->heads;
  const double *q = r->q + p.row * r->depth;
  const double *k = r->k + ((p.sequence * r->heads + p.head / group) * r->keys + p.key) * r->depth;
  double dot = 0;
  for (int64_t d = 0; d < r->depth; d++)
    dot += q[d] * k[d];
  double s = rounded(r->scale * dot);
  if (r->softcap > 0)
    s = rounded(r->softcap * tanh(s / r->softcap));
  if (r->bias)
    s = rounded(s + r->bias[index]);
  if (r->slopes)
    s = rounded(s - r->slopes[p.head] * fabs((double)(p.query + r->offsets[p.sequence] - p.key)));
  if (r->modify)
    s = rounded(r->modify(s, p.sequence, p.head, p.query, p.key));
  return s;
}

static void attend(const struct reference *r, struct place p, double (*rounded)(double), double *scores,
                   double *y, double *log_sum_exp) {
  const int64_t group = r->query_heads / r->heads;
  double largest = -INFINITY;
  for (p.key = 0; p.key < r->keys; p.key++) {
    const int64_t index = p.row * r->keys + p.key;
    scores[p.key] = is_visible(r, p, index) ? score(r, p, index, rounded) : -INFINITY;
    largest = fmax(largest, scores[p.key]);
  }
  for (int64_t d = 0; d < r->width; d++)
    y[d] = 0;
  *log_sum_exp = -INFINITY;
  if (largest == -INFINITY)
    return;
  double sum = 0;
  for (int64_t j = 0; j < r->keys; j++)
    sum += scores[j] == -INFINITY ? 0 : exp(scores[j] - largest);
  *log_sum_exp = largest + log(sum);
  const double all = sum + (r->sinks ? exp(r->sinks[p.head] - largest) : 0);
  for (int64_t j = 0; j < r->keys; j++) {
    if (scores[j] == -INFINITY)
      continue;
    const double weight = rounded(exp(scores[j] - largest) / all);
    const double *v = r->v + ((p.sequence * r->heads + p.head / group) * r->keys + j) * r->width;
    for (int64_t d = 0; d < r->width; d++)
      y[d] += weight * v[d];
  }
  for (int64_t d = 0; d < r->width; d++)
    y[d] = rounded(y[d]);
}

void reference_attention(const struct reference *r, double (*rounded)(double), double *output,
                         double *log_sum_exp) {
  double *scores = malloc((size_t)(r->keys + 1) * sizeof *scores);
  if (!scores)
    exit(2);
  struct place p = {0};
  for (p.sequence = 0; p.sequence < r->batch; p.sequence++)
    for (p.head = 0; p.head < r->query_heads; p.head++)
      for (p.query = 0; p.query < r->queries; p.query++, p.row++) {
        double *y = output + p.row * r->width;
        if (p.query < r->query_lengths[p.sequence]) {
          attend(r, p, rounded, scores, y, &log_sum_exp[p.row]);
          continue;
        }
        for (int64_t d = 0; d < r->width; d++)
          y[d] = 0;
        log_sum_exp[p.row] = -INFINITY;
      }
  free(scores);
}

void reference_merge(int64_t parts, int64_t rows, int64_t width, const double *const *outputs,
                     const double *const *log_sum_exps, double *output, double *log_sum_exp) {
  for (int64_t row = 0; row < rows; row++) {
    double largest = -INFINITY, sum = 0;
    for (int64_t part = 0; part < parts; part++)
      largest = fmax(largest, log_sum_exps[part][row]);
    for (int64_t part = 0; part < parts; part++)
      sum += largest == -INFINITY ? 0 : exp(log_sum_exps[part][row] - largest);
    log_sum_exp[row] = largest == -INFINITY ? -INFINITY : largest + log(sum);
    for (int64_t d = 0; d < width; d++) {
      double y = 0;
      for (int64_t part = 0; part < parts; part++)
        if (log_sum_exps[part][row] != -INFINITY)
          y += outputs[part][row * width + d] * exp(log_sum_exps[part][row] - log_sum_exp[row]);
      output[row * width + d] = y;
    }
  }
}
