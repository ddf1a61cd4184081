// Attention by its definition, in double, and how far a kernel may be off.
//
// In units of half a step of 1 in float (u). A weight 2^x errs by 4 u (the exponential's two steps) and by ln
// 2 times the error of x. Each number that is summed up meets no more roundings than there are keys. Weights of pairs err by the coarse
// exponential, and by half a step of eight bits.

#include "fused_case.h"

#include <math.h>

static const double u = 0x1p-24;
// What is lost where weights, or sums that a later score dwarfs, leave the normal range: far below what float
// shows of sums, which are at least 1/2.
static const double lost = 0x1p-70;
static const double coarse = 1.02e-4 + 0x1.01p-8;

int fused_row_sees(const struct fused_case *c, ptrdiff_t r, ptrdiff_t j) {
  if (c->shown != all_shown && !(c->visible[j] >> r & 1))
    return 0;
  return c->ranges == see_all || (c->first + j >= c->begin[r] && c->first + j < c->end[r]);
}

// A score and its error.
struct score {
  double value, error;
};

static struct score score_of(const struct fused_case *c, ptrdiff_t r, ptrdiff_t j) {
  double product = 0, size = 0;
  for (ptrdiff_t d = 0; d < c->head_dim; d++) {
    double term = (double)c->query[r][d] * c->key[j][d] * c->scale;
    product += term, size += fabs(term);
  }
  struct score score = {product, 0};
  // Sums are rounded once a column, then as they are scaled.
  if (c->scores == rounded_scores)
    score.error += u * (double)(c->head_dim + 2) * size;
  // A cap of 2^40 times a score or more changes it less than float shows.
  if (c->softcap > 0 && c->softcap < 0x1p40f) {
    score.value = c->softcap * tanh(product / c->softcap);
    // The inverse and the quotient are rounded, tanh is off by four steps, its multiple is rounded.
    score.error += u * (2 * fabs(product) + 10 * fabs(score.value));
  }
  if (c->has_bias) {
    score.value += c->bias[j][r];
    if (c->scores == rounded_scores || score.error > 0)
      score.error += u * fabs(score.value);
  }
  if (c->has_slopes) {
    double bias = c->slope[r] * fabs((double)(c->position[r] - c->first - j));
    score.value -= bias;
    if (c->scores == rounded_scores || score.error > 0)
      score.error += u * (bias + fabs(score.value));
  }
  return score;
}

static void expect_row(const struct fused_case *c, const struct fused_result *result, ptrdiff_t r) {
  const ptrdiff_t keys = c->counts[0] + c->counts[1];
  ptrdiff_t seen = 0;
  double sum = 0, bound = 0, output[most_dim] = {0}, output_bound[most_dim] = {0}, largest = 0;
  for (ptrdiff_t j = 0; j < keys; j++)
    seen += fused_row_sees(c, r, j);
  for (ptrdiff_t j = 0; j < keys; j++) {
    if (!fused_row_sees(c, r, j))
      continue;
    const struct score score = score_of(c, r, j);
    const double exponent = (score.value - result->origin[r]) * c->factor + result->shift[r];
    // Of exact scores the difference is exact, and the product is not rounded.
    const double error = score.error * c->factor + u * fabs(exponent);
    const double weight = exp2(exponent), off = weight * 1.01 * (0.7 * error + 4 * u);
    sum += weight, bound += off + lost;
    largest = fmax(largest, weight);
    for (ptrdiff_t d = 0; d < c->value_dim; d++) {
      output[d] += weight * c->value[j][d];
      output_bound[d] += fabs(c->value[j][d]) * (lost + off + weight * ((c->is_bf16 ? coarse : 0) + u * (double)(seen + 3)));
    }
  }
  bound += u * (double)(seen + 2) * sum;
  expect_within_f32(r, result->sum[r], sum, bound + (c->is_bf16 ? coarse * sum : 0));
  if (c->with_mass)
    expect_within_f32(r, result->mass[r], sum, bound);
  // Shifts are whole numbers, and keep weights between 2^-1 and 2^41.
  expect_equal_f32(r, result->shift[r], nearbyintf(result->shift[r]));
  expect_equal_integer(r, seen == 0 || (largest > 0.49 && largest < 0x1p41), 1);
  for (ptrdiff_t d = 0; d < c->value_dim; d++)
    expect_within_f32(d, result->output[d][r], output[d], output_bound[d]);
  // Column 0 of the values is 1: it sums up the weights that the sum does, in an order of its own.
  expect_within_f32(0, result->output[0][r], result->sum[r], 2 * u * (double)(seen + 3) * result->sum[r] + lost);
}

void expect_fused(const struct fused_case *c, const struct fused_result *result) {
  for (ptrdiff_t r = 0; r < c->rows; r++)
    expect_row(c, result, r);
}
