// Numbers to run kernels on, the same everywhere.

#ifndef KERNELDRIVER_VALUES_H
#define KERNELDRIVER_VALUES_H

#include <stddef.h>
#include <stdint.h>

// Steele, Lea and Flood's SplitMix64.
struct random {
  uint64_t state;
};
uint64_t random_bits(struct random *random);
ptrdiff_t random_below(struct random *random, ptrdiff_t bound);
double random_between(struct random *random, double low, double high);

// Bits of a number, of a number bits.
float f32_of_bits(uint32_t bits);
double f64_of_bits(uint64_t bits);

// Any number there is, those that break kernels more often: NaN, infinities, subnormal numbers, both zeros,
// the largest.
float anything_f32(struct random *random);
double anything_f64(struct random *random);

// The distance from `exact` to the next number of the format, not below that of its subnormal numbers.
double step_f32(double exact);
long double step_f64(long double exact);

#endif
