// See values.h.

#include "values.h"

#include <math.h>
#include <string.h>

uint64_t random_bits(struct random *random) {
  uint64_t z = random->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int64_t random_below(struct random *random, int64_t bound) {
  return (int64_t)(random_bits(random) % (uint64_t)bound);
}

int64_t random_from(struct random *random, int64_t least, int64_t most) {
  return least + random_below(random, most - least + 1);
}

int one_in(struct random *random, int64_t count) { return random_below(random, count) == 0; }

// Four uniform numbers of variance 1/12 each.
double random_unit(struct random *random) {
  double sum = -2;
  for (int i = 0; i < 4; i++)
    sum += (double)(random_bits(random) >> 11) * 0x1p-53;
  return sum * 1.7320508075688772;
}

size_t size_of_type(attention_type type) {
  switch (type) {
  case ATTENTION_FLOAT64:
    return 8;
  case ATTENTION_FLOAT32:
  case ATTENTION_INT32:
    return 4;
  case ATTENTION_FLOAT16:
  case ATTENTION_BFLOAT16:
    return 2;
  default:
    return 1;
  }
}

const char *name_of_type(attention_type type) {
  static const char *const names[] = {"none",     "float32", "float64", "float16",
                                      "bfloat16", "int8",    "bool",    "int32"};
  return type >= 0 && type <= ATTENTION_INT32 ? names[type] : "none";
}

static float f32_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

double load_element(const void *address, attention_type type) {
#define LOAD(T)                                                                                              \
  {                                                                                                          \
    T value;                                                                                                 \
    memcpy(&value, address, sizeof value);                                                                   \
    return (double)value;                                                                                    \
  }
  switch (type) {
  case ATTENTION_FLOAT64:
    LOAD(double)
  case ATTENTION_FLOAT32:
    LOAD(float)
  case ATTENTION_INT32:
    LOAD(int32_t)
  case ATTENTION_FLOAT16:
    LOAD(_Float16)
  case ATTENTION_BFLOAT16: {
    uint16_t word;
    memcpy(&word, address, sizeof word);
    return (double)f32_of_bits((uint32_t)word << 16);
  }
  case ATTENTION_INT8:
    LOAD(int8_t)
  default:
    LOAD(uint8_t)
  }
#undef LOAD
}

// The upper half of a float, rounded; NaN stays NaN.
static uint16_t bf16_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (isnan(value))
    return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void store_element(void *address, attention_type type, double value) {
#define STORE(T)                                                                                             \
  {                                                                                                          \
    T rounded = (T)value;                                                                                    \
    memcpy(address, &rounded, sizeof rounded);                                                               \
    return;                                                                                                  \
  }
  switch (type) {
  case ATTENTION_FLOAT64:
    STORE(double)
  case ATTENTION_FLOAT32:
    STORE(float)
  case ATTENTION_INT32:
    STORE(int32_t)
  case ATTENTION_FLOAT16:
    STORE(_Float16)
  case ATTENTION_BFLOAT16: {
    uint16_t word = bf16_of((float)value);
    memcpy(address, &word, sizeof word);
    return;
  }
  case ATTENTION_INT8:
    STORE(int8_t)
  default:
    STORE(uint8_t)
  }
#undef STORE
}

double rounded_to(attention_type type, double value) {
  unsigned char element[8];
  store_element(element, type, value);
  return load_element(element, type);
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count) {
  const unsigned char *byte = bytes;
  for (size_t i = 0; i < count; i++)
    hash = (hash ^ byte[i]) * UINT64_C(0x100000001B3);
  return hash;
}
