// Bounds of weights, against the double computation and never below it; sums of small terms, and the keys
// that thresholds choose.

#include "check.h"
#include "memory.h"
#include "storage.h"
#include "values.h"

#include <float.h>
#include <math.h>
#include <string.h>

// How much larger than the exact number a sum or term may be, and what may become 0.
static const double excess = 1 + 1e-4, negligible = 0x1p-100;

// `got` is from `low` to `high`; infinite where `low` is beyond the largest float, and also where `high` is.
static void expect_between(ptrdiff_t i, float got, double low, double high) {
  if (low > FLT_MAX || (got == INFINITY && high > FLT_MAX))
    expect_equal_f32(i, got, INFINITY);
  else
    expect_within_f32(i, got, low / 2 + high / 2, high / 2 - low / 2);
}

enum { kinds = 9 };

// The scores of a kind, and by how much they may be off.
static void fill_scores(float *scores, ptrdiff_t n, int kind, struct random *random) {
  for (ptrdiff_t i = 0; i < n; i++)
    switch (kind) {
    case 3:
      scores[i] = (float)random_between(random, -130, 10);
      break;
    case 4:
      scores[i] = (float)random_between(random, 1e5, 1.0001e5);
      break;
    case 5:
      scores[i] = (float)random_between(random, -300, 0);
      break;
    case 6:
      scores[i] = ldexpf((float)random_between(random, -1, 1), (int)random_below(random, 258) - 130);
      break;
    default:
      scores[i] = (float)random_between(random, -10, 10);
    }
  for (ptrdiff_t i = 0; i < n && (kind % 2 || kind == 8); i++)
    if (kind == 7 || random_below(random, 3) == 0)
      scores[i] = -INFINITY;
}

// The largest d of a kind, or so.
static double largest_bound(int kind, struct random *random) {
  static const double bounds[kinds] = {0.1, 1, 1e-6, 40, 3, 500, 1e4, 1, 1};
  return random_below(random, 8)   ? bounds[kind] * random_between(random, 0, 1)
         : random_below(random, 2) ? 0
                                   : 0x1p-120;
}

struct expectation {
  double low, high;
};

// A term by its exponent, score - maximum + d.
static double exact_term(double x, double d) { return d > 11 ? exp(x + d) - exp(x) : exp(x) * expm1(d); }

// From the term of the lower d to as much as that of the higher one may be: that of a d that is 2^-7 of itself
// larger, and of an exponent that is far away and so off by 2^-19 of what it is made of.
static struct expectation expected_term(double score, double maximum, struct expectation d) {
  if (score == -INFINITY)
    return (struct expectation){0, 0};
  const double x = score - maximum, exact = exact_term(x, d.low), more = d.high * (1 + 0x1p-7);
  const double off = more > 11 ? 0x1p-19 : 0, high = exact_term(x * (1 - off), more * (1 + off)) * excess;
  return (struct expectation){exact < negligible ? 0 : exact, high < negligible ? negligible : high};
}

// Half of a word of two bf16 numbers.
static double length_of(const uint32_t *lengths, ptrdiff_t i, int half) {
  return value_of_word(&storage_bf16, (uint16_t)(lengths[i] >> 16 * half));
}

static uint32_t lengths_near(double low, double high) {
  return word_of_value(&storage_bf16, low) | (uint32_t)word_of_value(&storage_bf16, high) << 16;
}

// Factors below the normal range may count as its smallest number.
static struct expectation expected_d(const struct CAttentionKernels_bound_terms *bound, const uint32_t *lengths,
                                     ptrdiff_t i) {
  const double factors[] = {bound->norm_factor, bound->residual_factor};
  struct expectation d = {0, 0};
  for (int half = 0; half < 2; half++) {
    const double length = length_of(lengths, i, half), factor = factors[half];
    d.low += length * factor;
    d.high += length * (factor > 0 && factor < FLT_MIN ? FLT_MIN : factor);
  }
  return d;
}

// Both 0 or normal.
static uint32_t any_lengths(double unit, struct random *random) {
  double lengths[2];
  for (int half = 0; half < 2; half++)
    lengths[half] = random_below(random, 8) ? fmax(unit * random_between(random, 0, 1), FLT_MIN) : 0;
  return lengths_near(lengths[0], lengths[1]);
}

// So that d is of about that size, where there is such a factor.
static float any_factor(double size, double unit) { return (float)fmin(size / unit, 0x1p127); }

static void check_bounds_of_case(void (*bound_terms)(struct CAttentionKernels_bound_terms *), ptrdiff_t n,
                                 int kind, enum edge edge, struct random *random) {
  float *scores = room(0, n * 4, edge);
  uint32_t *lengths = room(1, n * 4, edge);
  const double unit = ldexp(1, random_below(random, 2) ? (int)random_below(random, 252) - 125 : (int)random_below(random, 40) - 20);
  // The last kind: so large that terms are infinite, but where lengths are 0.
  struct CAttentionKernels_bound_terms bound = {
      .scores = scores,
      .lengths = lengths,
      .count = n,
      .norm_factor = any_factor(largest_bound(kind, random), unit),
      .residual_factor = kind == 8 ? 0x1p127f : any_factor(largest_bound(kind, random), unit),
      .terms = room(3, n * 4, edge)};
  fill_scores(scores, n, kind, random);
  double maximum = -INFINITY, sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    lengths[i] = any_lengths(unit, random);
    maximum = scores[i] > maximum ? scores[i] : maximum;
  }
  begin_case("n %td, kind %d, factors %a and %a, lengths 0x%08X", n, kind, bound.norm_factor, bound.residual_factor,
             n ? lengths[0] : 0);
  bound_terms(&bound);
  expect_untouched_around_room(3);
  struct expectation total = {0, 0};
  for (ptrdiff_t i = 0; i < n; i++) {
    const struct expectation term = expected_term(scores[i], maximum, expected_d(&bound, lengths, i));
    expect_between(i, bound.terms[i], term.low, term.high);
    total.low += term.low, total.high += term.high;
    sum += scores[i] == -INFINITY ? 0 : exp(scores[i] - maximum);
  }
  expect_equal_f32(-1, bound.maximum, (float)maximum);
  // Weights that became 0 are nothing beside 1.
  expect_between(-2, bound.sum, sum * (1 - 0x1p-50), sum * excess);
  expect_between(-3, bound.total, total.low, total.high);
}

// Scores that are none may lead to anything, but not out of bounds.
static void check_bounds_of_anything(void (*bound_terms)(struct CAttentionKernels_bound_terms *)) {
  struct random random = {43};
  FOR_EACH_SIZE (n) {
    float *scores = room(0, n * 4, at_end);
    struct CAttentionKernels_bound_terms bound = {.scores = scores,
                                                  .lengths = memset(room(1, n * 4, at_end), 0, (size_t)n * 4),
                                                  .count = n,
                                                  .norm_factor = fabsf(anything_f32(&random)),
                                                  .terms = room(3, n * 4, at_end)};
    for (ptrdiff_t i = 0; i < n; i++)
      scores[i] = anything_f32(&random);
    begin_case("n %td, anything", n);
    bound_terms(&bound);
    expect_untouched_around_room(3);
  }
}

// High halves are no larger than low ones, as those of keys are, and finite; one low half of many is infinite.
static void check_largest_length(float (*largest_length)(const void *, ptrdiff_t)) {
  struct random random = {45};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 20; turn++) {
        uint32_t *lengths = room(0, n * 4, edge);
        double largest = 0;
        for (ptrdiff_t i = 0; i < n; i++) {
          const double low = ldexp(random_between(&random, 0, 1), (int)random_below(&random, 200) - 100);
          const int is_infinite = turn == 0 && random_below(&random, 20) == 0;
          lengths[i] = lengths_near(is_infinite ? INFINITY : low, low * random_between(&random, 0, 1));
          largest = length_of(lengths, i, 0) > largest ? length_of(lengths, i, 0) : largest;
        }
        begin_case("n %td", n);
        expect_equal_f32(0, largest_length(lengths, n), (float)largest);
      }
}

// Terms over many powers of two, some of them one of the thresholds, some infinite.
static void fill_terms(float *terms, ptrdiff_t n, const float *thresholds, ptrdiff_t count,
                       struct random *random) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const ptrdiff_t kind = random_below(random, 16);
    terms[i] = kind == 0  ? INFINITY
               : kind < 3 ? 0
               : kind < 6 ? thresholds[random_below(random, count)]
                          : (float)exp(random_between(random, -30, 3));
  }
}

static void check_sums_below(void (*sums_below)(const float *, ptrdiff_t, const float *, float *)) {
  enum { count = CAttentionKernels_thresholds };
  struct random random = {44};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 6; turn++) {
        float *terms = room(0, n * 4, edge), *thresholds = room(1, count * 4, edge),
              *sums = room(2, count * 4, edge);
        for (int k = 0; k < count; k++) {
          thresholds[k] = k == count - 1 && turn % 2
                              ? INFINITY
                              : (float)exp(random_between(&random, -30 + 3 * k, -27 + 3 * k));
          sums[k] = turn % 3 ? (float)random_between(&random, 0, 1) : 0;
        }
        fill_terms(terms, n, thresholds, count, &random);
        double expected[count];
        for (int k = 0; k < count; k++) {
          expected[k] = sums[k];
          for (ptrdiff_t i = 0; i < n; i++)
            expected[k] += terms[i] <= thresholds[k] ? terms[i] : 0;
        }
        begin_case("n %td, thresholds from %a to %a", n, thresholds[0], thresholds[count - 1]);
        sums_below(terms, n, thresholds, sums);
        // A rounding for each number that is added.
        for (int k = 0; k < count; k++)
          expect_within_f32(k, sums[k], expected[k], 0x1.01p-24 * (double)(n + 1) * expected[k]);
        expect_untouched_around_room(2);
      }
}

static void check_choice_of_case(ptrdiff_t (*choose)(const struct CAttentionKernels_choice *), ptrdiff_t n,
                                 ptrdiff_t rows, enum edge edge, struct random *random) {
  const ptrdiff_t stride = n + rows % 4, all = (rows - 1) * stride + n;
  float *terms = room(0, all * 4, edge), *thresholds = room(1, rows * 4, edge);
  const struct CAttentionKernels_choice choice = {.terms = terms,
                                                  .term_stride = stride,
                                                  .rows = rows,
                                                  .count = n,
                                                  .thresholds = thresholds,
                                                  .chosen = room(2, n * 4, edge),
                                                  .rest = room(3, rows * 4, edge)};
  for (ptrdiff_t r = 0; r < rows; r++) {
    // From thresholds that choose all but zeros to those that choose none.
    const ptrdiff_t kind = random_below(random, 8);
    thresholds[r] = kind == 0 ? INFINITY : kind == 1 ? 0 : (float)exp(random_between(random, -10, 5));
  }
  fill_terms(terms, all, thresholds, rows, random);
  begin_case("n %td, %td rows", n, rows);
  const ptrdiff_t count = choose(&choice);
  ptrdiff_t expected = 0;
  double rest[16] = {0};
  for (ptrdiff_t j = 0; j < n; j++) {
    int is_chosen = 0;
    for (ptrdiff_t r = 0; r < rows; r++)
      is_chosen |= terms[r * stride + j] > thresholds[r];
    if (is_chosen)
      expect_equal_integer(j, expected < count ? choice.chosen[expected] : -1, j), expected++;
    for (ptrdiff_t r = 0; r < rows && !is_chosen; r++)
      rest[r] += terms[r * stride + j];
  }
  expect_equal_integer(-1, count, expected);
  // A chain adds no more than a block of 256 keys, and then blocks are added.
  for (ptrdiff_t r = 0; r < rows; r++)
    expect_within_f32(r, choice.rest[r], rest[r], 0x1.01p-24 * (130.0 + (double)n / 256) * rest[r]);
  expect_untouched_around_room(2);
  expect_untouched_around_room(3);
}

void check_bounds(kernel_set *set) {
  struct random random = {42};
  void (*bound_terms)(struct CAttentionKernels_bound_terms *) = BEGIN_ENTRY(set, bound_terms);
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 4 * kinds; turn++)
        check_bounds_of_case(bound_terms, n, turn % kinds, edge, &random);
  check_bounds_of_case(bound_terms, 100003, 1, at_end, &random);
  check_bounds_of_anything(bound_terms);
  check_largest_length(BEGIN_ENTRY(set, largest_length));
  check_sums_below(BEGIN_ENTRY(set, sums_below));
  ptrdiff_t (*choose)(const struct CAttentionKernels_choice *) = BEGIN_ENTRY(set, choose);
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (ptrdiff_t rows = 1; rows < 10; rows++)
        check_choice_of_case(choose, n, rows, edge, &random);
}
