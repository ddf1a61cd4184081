// Half-precision conversions by the CPU, for sets whose target has them: _Float16 casts compile to its instructions, a vector
// at a time in loops. Without the target they would be calls into a compiler library that not every system has.

#ifndef CATTENTIONKERNELS_HALF_HARDWARE_H
#define CATTENTIONKERNELS_HALF_HARDWARE_H

#include <stdint.h>
#include <string.h>

static inline float attn_f32_from_f16(uint16_t half) {
  _Float16 value;
  memcpy(&value, &half, sizeof value);
  return (float)value;
}

static inline uint16_t attn_f16_from_f32(float value) {
  _Float16 rounded = (_Float16)value;
  uint16_t half;
  memcpy(&half, &rounded, sizeof half);
  return half;
}

#endif
