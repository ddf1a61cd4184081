// Norms, activations and the largest of some numbers, by their formulas in double.

#include "check.h"
#include "memory.h"
#include "values.h"

#include <float.h>
#include <math.h>
#include <string.h>

// Half a step of 1, and a little for the products of errors.
static const double unit = 0x1.02p-24;

// The roundings of a sum of n numbers: a chain is a quarter of them, or what is left of a turn of at most 64; then chains and lanes add up.
static double sum_roundings(ptrdiff_t n) { return (double)n / 4 + 64 + 8; }

enum content { ordinary, shifted, constant, small, huge, with_poison, contents };

static void fill_row(float *x, ptrdiff_t n, enum content content, struct random *random) {
  for (ptrdiff_t i = 0; i < n; i++)
    x[i] = content == constant  ? -3.7f
           : content == small   ? (float)random_between(random, -1e-30, 1e-30)
           : content == huge    ? (float)random_between(random, -1e25, 1e25)
           : content == shifted ? (float)random_between(random, 99, 101)
                                : (float)random_between(random, -8, 8);
  if (content == with_poison && n)
    x[random_below(random, n)] = random_below(random, 2) ? NAN : INFINITY;
}

// One of the two.
struct norm {
  void (*rms)(float *y, const float *x, const float *weight, ptrdiff_t n, float epsilon);
  void (*layer)(float *y, const float *x, const float *weight, const float *bias, ptrdiff_t n, float epsilon);
};

struct row {
  const float *x, *weight, *bias;
  ptrdiff_t n;
  float epsilon;
};

static void run_norm(const struct norm *norm, float *y, const struct row *row) {
  if (norm->rms)
    norm->rms(y, row->x, row->weight, row->n, row->epsilon);
  else
    norm->layer(y, row->x, row->weight, row->bias, row->n, row->epsilon);
}

// A mean is off by so many roundings of the mean size, and every difference from it with it; the square of that error adds to the variance.
// The sum of squares, its mean, epsilon, the root and its inverse round the factor, for which only half of the sum's error counts; then come
// the difference, two products and the bias.
static void expect_norm(const struct norm *norm, const float *y, const struct row *row) {
  const ptrdiff_t n = row->n;
  double sum = 0, size = 0, squares = 0;
  for (ptrdiff_t i = 0; i < n && norm->layer; i++)
    sum += row->x[i], size += fabs((double)row->x[i]);
  const double mean = sum / (double)n, mean_error = (sum_roundings(n) + 1) * unit * size / (double)n;
  for (ptrdiff_t i = 0; i < n; i++)
    squares += (row->x[i] - mean) * (row->x[i] - mean);
  // Beyond the largest float, the sum of squares is infinite.
  const double variance = squares > FLT_MAX ? INFINITY : squares / (double)n + row->epsilon, factor = 1 / sqrt(variance);
  const double factor_error = (sum_roundings(n) / 2 + 8) * unit + mean_error * mean_error / variance;
  for (ptrdiff_t i = 0; i < n; i++) {
    const double weight = row->weight[i], scaled = (row->x[i] - mean) / sqrt(variance) * weight;
    const double exact = scaled + (norm->layer ? row->bias[i] : 0);
    const double difference_error = mean_error * factor * fabs(weight) * (1 + factor_error);
    expect_within_f32(i, y[i], exact,
                      fabs(scaled) * (factor_error + 4 * unit) + difference_error + unit * fabs(exact) + 0x1p-149);
  }
}

static void check_norm(struct norm norm) {
  struct random random = {56};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (enum content content = ordinary; content < contents; content++) {
        float *x = room(0, n * 4, edge), *weight = room(1, n * 4, edge), *bias = room(2, n * 4, edge);
        fill_row(x, n, content, &random);
        fill_row(weight, n, ordinary, &random);
        fill_row(bias, n, ordinary, &random);
        const struct row row = {x, weight, bias, n, n % 3 ? 1e-5f : 1e-12f};
        begin_case("n %td, content %d, epsilon %g", n, content, row.epsilon);
        float *y = room(3, n * 4, edge);
        run_norm(&norm, y, &row);
        expect_norm(&norm, y, &row);
        expect_untouched_around_room(3);
        // Over its own row, the same bits.
        float *own = room(4, n * 4, edge);
        memcpy(own, x, (size_t)n * 4);
        run_norm(&norm, own, &(struct row){own, weight, bias, n, row.epsilon});
        for (ptrdiff_t i = 0; i < n; i++)
          expect_equal_f32(i, own[i], y[i]);
      }
}

static double exact_silu(double x) { return x / (1 + exp(-x)); }
static double exact_gelu_erf(double x) { return x / 2 * erfc(-x / sqrt(2)); }
static double exact_gelu_tanh(double x) {
  return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

typedef void (*activation)(float *, const float *, const float *, ptrdiff_t);

// An activation is within 2.5e-7 of the larger of 1 and its size; times a factor, that much of the factor, and a rounding more.
static void expect_activations(const float *y, const float *x, const float *factors, ptrdiff_t n, double (*exact)(double)) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const double value = exact(x[i]), bound = 2.5e-7 * fmax(1, fabs(value)), factor = factors ? factors[i] : 1;
    // Beyond the largest float the product is infinite.
    const double product = factors ? (double)(float)(value * factor) : value;
    if (factors && !(fabs(product) < FLT_MAX / 2))
      continue;
    expect_within_f32(i, y[i], product, (bound + unit * fabs(value)) * fabs(factor) + 0x1p-149);
  }
}

static void check_activation(activation f, double (*exact)(double)) {
  struct random random = {57};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      float *x = room(0, n * 4, edge), *factors = room(1, n * 4, edge), *y = room(2, n * 4, edge);
      for (ptrdiff_t i = 0; i < n; i++) {
        x[i] = anything_f32(&random);
        factors[i] = (float)random_between(&random, -4, 4);
      }
      begin_case("n %td", n);
      f(y, x, NULL, n);
      expect_untouched_around_room(2);
      expect_activations(y, x, NULL, n, exact);
      begin_case("n %td, with factors", n);
      f(y, x, factors, n);
      expect_untouched_around_room(2);
      expect_activations(y, x, factors, n, exact);
      // In place of either, the same bits.
      float *own = room(3, n * 4, edge);
      memcpy(own, x, (size_t)n * 4);
      f(own, own, factors, n);
      f(factors, x, factors, n);
      for (ptrdiff_t i = 0; i < n; i++) {
        expect_equal_f32(i, own[i], y[i]);
        expect_equal_f32(i, factors[i], y[i]);
      }
    }
  // Every 4099th float: all exponents of both signs, infinities and NaN.
  enum { count = 1 << 18, stride = 4099 };
  float *x = room(0, count * 4, at_end), *y = room(2, count * 4, at_end);
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
    ptrdiff_t n = 0;
    begin_case("every %dth float from 0x%08llX on", stride, (unsigned long long)bits);
    for (; n < count && bits < (uint64_t)1 << 32; bits += stride)
      x[n++] = f32_of_bits((uint32_t)bits);
    f(y, x, NULL, n);
    expect_activations(y, x, NULL, n, exact);
  }
  const float edges[] = {INFINITY, -INFINITY, NAN, 0, -0.0f, FLT_MAX, -FLT_MAX, 0x1p-149f, -0x1p-149f, -FLT_MIN, -88, -104, -9, 9};
  begin_case("edges");
  f(y, edges, NULL, 14);
  expect_activations(y, edges, NULL, 14, exact);
}

static void check_argmax(ptrdiff_t (*argmax)(const float *, ptrdiff_t)) {
  struct random random = {58};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 12; turn++) {
        float *x = room(0, n * 4, edge);
        ptrdiff_t best = -1;
        for (ptrdiff_t i = 0; i < n; i++) {
          // Anything; few different numbers, so that several are the largest; NaN and -infinity alone.
          x[i] = turn % 4 == 0   ? anything_f32(&random)
                 : turn % 4 == 1 ? (float)random_below(&random, 3) - 2
                 : turn % 4 == 2 ? (random_below(&random, 3) ? NAN : -INFINITY)
                                 : (float)random_between(&random, -8, -4);
          if (!isnan(x[i]) && (best < 0 || x[i] > x[best]))
            best = i;
        }
        begin_case("n %td, turn %d", n, turn);
        expect_equal_integer(n, argmax(x, n), best < 0 ? 0 : best);
      }
}

void check_layers(kernel_set *set) {
  check_norm((struct norm){.rms = BEGIN_ENTRY(set, rms_norm)});
  check_norm((struct norm){.layer = BEGIN_ENTRY(set, layer_norm)});
  check_activation(BEGIN_ENTRY(set, silu), exact_silu);
  check_activation(BEGIN_ENTRY(set, gelu_tanh), exact_gelu_tanh);
  check_activation(BEGIN_ENTRY(set, gelu_erf), exact_gelu_erf);
  check_argmax(BEGIN_ENTRY(set, argmax));
}
