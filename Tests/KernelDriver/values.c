// See values.h.

#include "values.h"

#include <float.h>
#include <math.h>
#include <string.h>

uint64_t random_bits(struct random *random) {
  uint64_t z = random->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

ptrdiff_t random_below(struct random *random, ptrdiff_t bound) {
  return (ptrdiff_t)(random_bits(random) % (uint64_t)bound);
}

double random_between(struct random *random, double low, double high) {
  return low + (high - low) * ((double)(random_bits(random) >> 11) * 0x1p-53);
}

float f32_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

double f64_of_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float anything_f32(struct random *random) {
  static const float edges[] = {0.0f,         -0.0f,    INFINITY, -INFINITY,       NAN,
                                FLT_MAX,      -FLT_MAX, FLT_MIN,  0x1p-149f,       -0x1p-149f,
                                -0x1.8p-140f, 1.0f,     -1.0f,    0x1.fffffep-127f};
  // NaN that rounding like a number carries into a zero or infinity, and that cutting off leaves infinite.
  static const uint32_t nans[] = {0x7FFFFFFF, 0xFFFFFFFF, 0x7FBFFFFF, 0x7F800001};
  switch (random_bits(random) % 8) {
  case 0:
  case 1:
    return edges[random_below(random, sizeof edges / sizeof *edges)];
  case 2:
    return f32_of_bits((uint32_t)random_bits(random));
  case 3:
    return f32_of_bits(nans[random_below(random, sizeof nans / sizeof *nans)]);
  default:
    return (float)random_between(random, -8, 8);
  }
}

double anything_f64(struct random *random) {
  static const double edges[] = {0.0,      -0.0,     INFINITY,       -INFINITY, NAN,
                                 DBL_MAX,  -DBL_MAX, DBL_MIN,        0x1p-1074, -0x1p-1074,
                                 0x1p-149, FLT_MAX,  0x1.ffffffp127, 0x1p-150};
  static const uint64_t nans[] = {0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x7FF7FFFFFFFFFFFF,
                                  0x7FF0000000000001};
  switch (random_bits(random) % 8) {
  case 0:
  case 1:
    return edges[random_below(random, sizeof edges / sizeof *edges)];
  case 2:
    return f64_of_bits(random_bits(random));
  case 3:
    return f64_of_bits(nans[random_below(random, sizeof nans / sizeof *nans)]);
  default:
    return random_between(random, -8, 8);
  }
}

// frexp gives the power of two above, below which numbers are that power divided by 2^digits apart.
double step_f32(double exact) {
  int exponent;
  frexp(exact, &exponent);
  return ldexp(1, exponent - FLT_MANT_DIG > -149 ? exponent - FLT_MANT_DIG : -149);
}

long double step_f64(long double exact) {
  int exponent;
  frexpl(exact, &exponent);
  return ldexpl(1, exponent - DBL_MANT_DIG > -1074 ? exponent - DBL_MANT_DIG : -1074);
}
