// Rows to every storage type: multiplied and rounded once, then once more to the type, to nearest even. The
// same bits from every set.

#ifndef REAL

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <math.h>
#include <string.h>

typedef int (*store)(void *target, ptrdiff_t stride, const void *source, ptrdiff_t n, double factor);

#define SUBJECT "stores.c"
#include "both_precisions.h"

// Doubles at and next to ties of float: between a float and the next one away from zero, which for the largest is infinity.
static void check_ties_of_floats(store store) {
  enum { floats = 20000, per_float = 4, n = floats * per_float };
  double *source = room(0, n * (ptrdiff_t)sizeof *source, at_end);
  float *target = room(1, n * (ptrdiff_t)sizeof *target, at_end);
  static float expected[n];
  struct random random = {18};
  begin_case("ties of %d floats", floats);
  for (int i = 0; i < floats; i++) {
    const uint32_t bits = i ? (uint32_t)random_bits(&random) % 0x7F800000 : 0x7F7FFFFF;
    const float sign = i % 2 ? -1 : 1, low = f32_of_bits(bits), high = f32_of_bits(bits + 1);
    const int exponent = bits >> 23 ? (int)(bits >> 23) : 1;
    const double tie = low + ldexp(1, exponent - 151);
    const double around[per_float] = {low, nextafter(tie, 0), tie, nextafter(tie, INFINITY)};
    const float nearest[per_float] = {low, low, bits % 2 ? high : low, high};
    for (int k = 0; k < per_float; k++) {
      source[i * per_float + k] = sign * around[k];
      expected[i * per_float + k] = sign * nearest[k];
    }
  }
  expect_equal_integer(n, store(target, 1, source, n, 1), 1);
  for (ptrdiff_t i = 0; i < n; i++)
    expect_equal_f32(i, target[i], expected[i]);
}

void check_stores(kernel_set *set) {
  check_stores_f32(set);
  check_stores_f64(set);
  check_ties_of_floats(BEGIN_ENTRY(set, f64.store_to_f32));
}

#else

// What lies between the elements stays. Sources are finite, but for one in every third row.
static void P(check_store_at_any_stride)(store store, const struct storage *type) {
  static const ptrdiff_t strides[] = {1, 2, 3, 7, -1, -4};
  struct random random = {7};
  for (int s = 0; s < 6; s++)
    FOR_EACH_EDGE (edge)
      FOR_EACH_SIZE (n) {
        const ptrdiff_t stride = strides[s], steps = n > 0 ? (n - 1) * stride : 0,
                        span = steps < 0 ? -steps : steps;
        const ptrdiff_t bytes = n > 0 ? (span + 1) * type->size : 0, first = stride < 0 ? span : 0;
        SCALAR *source = room(0, n * (ptrdiff_t)sizeof *source, edge);
        char *target = room(1, bytes, edge), expected[7000 * sizeof(double)];
        SCALAR factor = n % 3 ? (SCALAR)random_between(&random, -4, 4) : 1;
        begin_case("n %td, stride %td, factor %g", n, stride, factor);
        memcpy(expected, target, (size_t)bytes);
        const ptrdiff_t poisoned = n > 0 && n % 3 == 1 ? random_below(&random, n) : -1;
        int are_finite = 1;
        for (ptrdiff_t i = 0; i < n; i++) {
          do
            source[i] = P(anything)(&random);
          while (!isfinite(source[i] * factor) != (i == poisoned));
          SCALAR y = source[i] * factor;
          are_finite &= isfinite(y) != 0;
          store_value(type, expected, first + i * stride, y);
        }
        expect_equal_integer(n, store(target + first * type->size, stride, source, n, factor), are_finite);
        for (ptrdiff_t i = 0; n > 0 && i <= span; i++)
          expect_equal_stored(type, i, target, expected);
        expect_untouched_around_room(1);
      }
}

// The numbers at and next to every tie of a type of 16 bits: what rounding twice, or toward zero, or ties to
// the wrong side gets wrong. Past the largest word lies what would be the next one, if the exponents went on.
static void P(check_ties)(store store, const struct storage *type) {
  enum { per_word = 6 };
  const uint16_t words = word_of_value(type, INFINITY);
  const ptrdiff_t n = (ptrdiff_t)words * per_word;
  SCALAR *source = room(0, n * (ptrdiff_t)sizeof *source, at_end), infinity = (SCALAR)INFINITY;
  uint16_t *target = room(1, n * (ptrdiff_t)sizeof *target, at_end);
  begin_case("every tie of %s, %d numbers for each of its words", type->name, per_word);
  for (int word = 0; word < words; word++) {
    // The largest word is as far from its neighbour as the next power of two is from it.
    int from = word + 1 < words ? word : word - 1;
    SCALAR low = (SCALAR)value_of_word(type, (uint16_t)word);
    SCALAR step = (SCALAR)(value_of_word(type, (uint16_t)(from + 1)) - value_of_word(type, (uint16_t)from));
    SCALAR tie = low + step / 2;
    const SCALAR around[per_word] = {
        low, SCALAR_(nextafter)(low, infinity), SCALAR_(nextafter)(tie, 0),
        tie, SCALAR_(nextafter)(tie, infinity), SCALAR_(nextafter)(tie + step / 2, 0)};
    for (int i = 0; i < per_word; i++)
      source[word * per_word + i] = (word + i) % 2 ? -around[i] : around[i];
  }
  expect_equal_integer(n, store(target, 1, source, n, 1), 1);
  for (ptrdiff_t i = 0; i < n; i++)
    expect_equal_word(i, target[i], word_of_value(type, source[i]));
}

static void P(check_stores)(kernel_set *set) {
  P(check_store_at_any_stride)(BEGIN_ENTRY(set, ROWS(store_to_f32)), &storage_f32);
  P(check_store_at_any_stride)(BEGIN_ENTRY(set, ROWS(store_to_f64)), &storage_f64);
  P(check_store_at_any_stride)(BEGIN_ENTRY(set, ROWS(store_to_f16)), &storage_f16);
  P(check_ties)(set->ROWS(store_to_f16), &storage_f16);
  P(check_store_at_any_stride)(BEGIN_ENTRY(set, ROWS(store_to_bf16)), &storage_bf16);
  P(check_ties)(set->ROWS(store_to_bf16), &storage_bf16);
}

#endif
