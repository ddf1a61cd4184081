// The types that rows are stored in, by their definitions: what a word is worth, and which word is nearest to
// a number.

#ifndef KERNELDRIVER_STORAGE_H
#define KERNELDRIVER_STORAGE_H

#include "values.h"

#include <stddef.h>
#include <stdint.h>

struct storage {
  const char *name;
  ptrdiff_t size;
  // Of formats with 16 bits: how many of them are the fraction, and the exponent of the smallest normal
  // number.
  int fraction_bits, smallest_exponent;
};
extern const struct storage storage_f32, storage_f64, storage_f16, storage_bf16, storage_i8;

// The number that element i of p is: every format's numbers are doubles.
double stored_value(const struct storage *type, const void *p, ptrdiff_t i);

// Element i becomes the number nearest to x, of two the one with even bits. NaN stays NaN.
void store_value(const struct storage *type, void *p, ptrdiff_t i, double x);

// Element i becomes anything that the type has.
void store_anything(const struct storage *type, void *p, ptrdiff_t i, struct random *random);

// The elements at i have the same bits, or are NaN both.
void expect_equal_stored(const struct storage *type, ptrdiff_t i, const void *got, const void *expected);

// A word of 16 bits and the number that it is.
double value_of_word(const struct storage *type, uint16_t word);
uint16_t word_of_value(const struct storage *type, double x);

#endif
