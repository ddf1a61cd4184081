// Random numbers, the same everywhere, and the element types by their definitions.

#ifndef CFACE_VALUES_H
#define CFACE_VALUES_H

#include "attention.h"

// Steele, Lea and Flood's SplitMix64.
struct random {
  uint64_t state;
};
uint64_t random_bits(struct random *random);
// 0 to bound − 1.
int64_t random_below(struct random *random, int64_t bound);
int64_t random_from(struct random *random, int64_t least, int64_t most);
int one_in(struct random *random, int64_t count);
// Mean 0 and variance 1: a sum of uniform numbers.
double random_unit(struct random *random);

size_t size_of_type(attention_type type);
const char *name_of_type(attention_type type);

// One element at an address, to and from double: rounded to the nearest, ties to even.
double load_element(const void *address, attention_type type);
void store_element(void *address, attention_type type, double value);
// `value` as the type holds it.
double rounded_to(attention_type type, double value);

// The FNV-1a hash of some bytes, going on from `hash`.
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count);
#define HASH_START UINT64_C(0xCBF29CE484222325)

#endif
