// Rows of integers by their definitions. Nothing here is shared with the kernels.

#ifndef KERNELDRIVER_INTEGERS_H
#define KERNELDRIVER_INTEGERS_H

#include "CAttentionKernels.h"
#include "values.h"

#include <string.h>

// A row of blocks of int4: its bytes, a column's integer and the scale of its block.
static inline ptrdiff_t i4_row_bytes(ptrdiff_t columns) { return (columns + 31) / 32 * 20; }

static inline int i4_at(const void *row, ptrdiff_t c) {
  const int pair = ((const uint8_t *)row)[c / 32 * 20 + 4 + c % 16], half = c % 32 < 16 ? pair % 16 : pair / 16;
  return half < 8 ? half : half - 16;
}

static inline float i4_scale_at(const void *row, ptrdiff_t c) {
  float scale;
  memcpy(&scale, (const char *)row + c / 32 * 20, sizeof scale);
  return scale;
}

static inline void set_i4(void *row, ptrdiff_t c, int integer) {
  uint8_t *pair = (uint8_t *)row + c / 32 * 20 + 4 + c % 16;
  *pair = (uint8_t)(c % 32 < 16 ? (*pair & 0xF0) | (integer & 15) : (*pair & 15) | (integer & 15) << 4);
}

// Any integers in the block that column c is in.
static inline void fill_i4_block(void *row, ptrdiff_t c, float scale, struct random *random) {
  char *block = (char *)row + c / 32 * 20;
  memcpy(block, &scale, sizeof scale);
  for (int i = 4; i < 20; i++)
    block[i] = (char)random_bits(random);
}

#endif
