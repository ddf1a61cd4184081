// See storage.h. Nothing here is shared with the kernels' own conversions.

#include "storage.h"

#include "check.h"

#include <math.h>
#include <string.h>

const struct storage storage_f32 = {"f32", sizeof(float), 0, 0};
const struct storage storage_f64 = {"f64", sizeof(double), 0, 0};
const struct storage storage_f16 = {"f16", sizeof(uint16_t), 10, -14};
const struct storage storage_bf16 = {"bf16", sizeof(uint16_t), 7, -126};
const struct storage storage_i8 = {"i8", sizeof(int8_t), 0, 0};

// The pattern of infinity: all bits of the exponent.
static uint16_t infinity_of(const struct storage *type) {
  return (uint16_t)(0x7FFF & ~((1 << type->fraction_bits) - 1));
}

double value_of_word(const struct storage *type, uint16_t word) {
  int magnitude = word & 0x7FFF, exponent = magnitude >> type->fraction_bits;
  int fraction = magnitude & ((1 << type->fraction_bits) - 1);
  double value;
  if (magnitude >= infinity_of(type))
    value = fraction ? NAN : INFINITY;
  else if (exponent == 0)
    value = ldexp(fraction, type->smallest_exponent - type->fraction_bits);
  else
    value = ldexp(fraction + (1 << type->fraction_bits),
                  type->smallest_exponent - type->fraction_bits + exponent - 1);
  return word & 0x8000 ? -value : value;
}

uint16_t word_of_value(const struct storage *type, double x) {
  uint16_t sign = signbit(x) ? 0x8000 : 0, infinity = infinity_of(type);
  if (isnan(x))
    return infinity | 1;
  x = fabs(x);
  if (isinf(x))
    return sign | infinity;
  int exponent = x == 0 || ilogb(x) < type->smallest_exponent ? type->smallest_exponent : ilogb(x);
  // In units of the last place, ties to even. Whether the units reach that of the implicit bit or twice it,
  // the sum is the pattern: the next exponent begins where the fractions end.
  double units = nearbyint(ldexp(x, type->fraction_bits - exponent));
  double pattern = ldexp(exponent - type->smallest_exponent, type->fraction_bits) + units;
  return sign | (pattern < infinity ? (uint16_t)pattern : infinity);
}

double stored_value(const struct storage *type, const void *p, ptrdiff_t i) {
  if (type == &storage_f32)
    return ((const float *)p)[i];
  if (type == &storage_f64)
    return ((const double *)p)[i];
  if (type == &storage_i8)
    return ((const int8_t *)p)[i];
  return value_of_word(type, ((const uint16_t *)p)[i]);
}

void store_value(const struct storage *type, void *p, ptrdiff_t i, double x) {
  if (type == &storage_f32)
    ((float *)p)[i] = (float)x;
  else if (type == &storage_f64)
    ((double *)p)[i] = x;
  else
    ((uint16_t *)p)[i] = word_of_value(type, x);
}

void store_anything(const struct storage *type, void *p, ptrdiff_t i, struct random *random) {
  if (type == &storage_f32)
    ((float *)p)[i] = anything_f32(random);
  else if (type == &storage_f64)
    ((double *)p)[i] = anything_f64(random);
  else if (type == &storage_i8)
    ((int8_t *)p)[i] = (int8_t)random_bits(random);
  else if (random_bits(random) % 2)
    ((uint16_t *)p)[i] = (uint16_t)random_bits(random);
  else
    ((uint16_t *)p)[i] = word_of_value(type, anything_f32(random));
}

void expect_equal_stored(const struct storage *type, ptrdiff_t i, const void *got, const void *expected) {
  if (type == &storage_f32) {
    expect_equal_f32(i, ((const float *)got)[i], ((const float *)expected)[i]);
  } else if (type == &storage_f64) {
    expect_equal_f64(i, ((const double *)got)[i], ((const double *)expected)[i]);
  } else {
    uint16_t g = ((const uint16_t *)got)[i], e = ((const uint16_t *)expected)[i];
    int are_nan = isnan(value_of_word(type, g)) && isnan(value_of_word(type, e));
    expect_equal_word(i, g, are_nan ? g : e);
  }
}
