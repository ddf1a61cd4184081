// Half-precision numbers as 16-bit words, without hardware support: what every set starts from.

#ifndef CATTENTIONKERNELS_HALF_H
#define CATTENTIONKERNELS_HALF_H

#include <stdint.h>
#include <string.h>

static inline float attn_float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t attn_bits_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float attn_f32_from_bf16(uint16_t half) { return attn_float_from_bits((uint32_t)half << 16); }

// To nearest, ties to even: half a step less one, plus the lowest kept bit, carries exactly where rounding goes up.
static inline uint16_t attn_bf16_from_f32(float value) {
  uint32_t bits = attn_bits_from_float(value);
  uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  // Rounding could carry NaN's payload into infinity: keep it, with the quiet bit set.
  uint32_t quiet = (bits >> 16) | 0x40u;
  return (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}

// The exponent is rebased by a multiplication, which also normalises subnormals; infinity and NaN are put back.
static inline float attn_f32_from_f16_bits(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, magnitude = (uint32_t)(half & 0x7FFFu) << 13;
  float scaled = attn_float_from_bits(magnitude) * 0x1p112f;
  uint32_t bits = attn_bits_from_float(scaled);
  uint32_t special = magnitude | 0x7F800000u;
  // A NaN is quieted, as hardware conversions do.
  special |= (half & 0x03FFu) ? 0x00400000u : 0u;
  return attn_float_from_bits(sign | ((half & 0x7C00u) == 0x7C00u ? special : bits));
}

// To nearest, ties to even, subnormal results included.
static inline uint16_t attn_f16_from_f32_bits(float value) {
  uint32_t bits = attn_bits_from_float(value), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u)
    return (uint16_t)(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu));
  // 65520 and beyond round to infinity.
  if (magnitude >= 0x477FF000u)
    return (uint16_t)(sign | 0x7C00u);
  if (magnitude < 0x38800000u) {
    // Below 2^-14: adding 0.5 lines the last bit of a half up with the last bit of the sum, which rounds it.
    float sum = attn_float_from_bits(magnitude) + 0.5f;
    return (uint16_t)(sign | (attn_bits_from_float(sum) - attn_bits_from_float(0.5f)));
  }
  uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
  return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

#endif
