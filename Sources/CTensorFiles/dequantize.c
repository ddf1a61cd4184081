#include "CTensorFiles.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "blocks are little-endian and are loaded as they are"
#endif

// A product and a sum are rounded one after the other, as the formats define it: an FMA would change bits.
#pragma STDC FP_CONTRACT OFF

// Sixteen weights at a time, in vectors that clang maps to what the machine has. A byte becomes a float in four steps on the
// narrowest x86-64, so all work on the small integers is done while sixteen of them fit one register.
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int8_t s8x16 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));
typedef float f32x16 __attribute__((vector_size(64)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef float f32x8 __attribute__((vector_size(32)));

static inline u8x16 load16(const uint8_t *from) {
  u8x16 bytes;
  memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

// The value of a binary16, exactly. Its bits moved into a float's place are too small by 2^112, subnormal ones too, which one exact
// product mends; the largest exponent means infinity or NaN here as there.
static inline float half(const uint8_t *from) {
  uint16_t bits;
  memcpy(&bits, from, sizeof bits);
  uint32_t magnitude = (uint32_t)(bits & 0x7FFF) << 13;
  float value;
  memcpy(&value, &magnitude, sizeof value);
  value *= 0x1p112f;
  uint32_t result;
  memcpy(&result, &value, sizeof result);
  if (magnitude >= 0x7C00u << 13) result = magnitude | 0x7F800000;
  result |= (uint32_t)(bits & 0x8000) << 16;
  memcpy(&value, &result, sizeof value);
  return value;
}

// d·q, and with an offset. Vectors wider than the registers stay inside: passed by value they would depend on what the machine has.
static inline void scaled(float *to, s8x16 q, float d) {
  f32x16 weights = __builtin_convertvector(q, f32x16) * d;
  memcpy(to, &weights, sizeof weights);
}
static inline void scaledPlus(float *to, u8x16 q, float d, float m) {
  f32x16 weights = __builtin_convertvector(q, f32x16) * d + m;
  memcpy(to, &weights, sizeof weights);
}
static inline void scaledMinus(float *to, u8x16 q, float d, float m) {
  f32x16 weights = __builtin_convertvector(q, f32x16) * d - m;
  memcpy(to, &weights, sizeof weights);
}

// Sixteen fifth bits, from two bytes with a bit a weight, at their place in a byte.
static inline u8x16 fifthBits(const uint8_t *from) {
  const u8x16 place = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  u64x2 each = {from[0] * 0x0101010101010101u, from[1] * 0x0101010101010101u};
  return (u8x16)(((u8x16)each & place) != 0) & 16;
}

void CTensorFiles_dequantizeF16(const uint8_t *from, size_t count, float *to) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    u16x8 bits;
    memcpy(&bits, from + 2 * i, sizeof bits);
    u32x8 magnitude = __builtin_convertvector(bits & 0x7FFF, u32x8) << 13;
    u32x8 finite = (u32x8)((f32x8)magnitude * 0x1p112f);
    // Infinity and NaN keep their fraction; all others are below them and get nothing from the mask.
    u32x8 special = (u32x8)(magnitude >= (0x7C00u << 13));
    u32x8 result = (finite & ~special) | ((magnitude | 0x7F800000) & special);
    result |= __builtin_convertvector(bits & 0x8000, u32x8) << 16;
    memcpy(to + i, &result, sizeof result);
  }
  for (; i < count; i++) to[i] = half(from + 2 * i);
}

void CTensorFiles_dequantizeBF16(const uint8_t *from, size_t count, float *to) {
  for (size_t i = 0; i < count; i++) {
    uint16_t upper;
    memcpy(&upper, from + 2 * i, sizeof upper);
    uint32_t bits = (uint32_t)upper << 16;
    memcpy(to + i, &bits, sizeof bits);
  }
}

void CTensorFiles_dequantizeQ8_0(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 34, to += 32) {
    float d = half(from);
    for (int i = 0; i < 32; i += 16) scaled(to + i, (s8x16)load16(from + 2 + i), d);
  }
}

// Of 32 weights, the low halves of 16 bytes are the first 16, the high halves the others.

void CTensorFiles_dequantizeQ4_0(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 18, to += 32) {
    float d = half(from);
    u8x16 q = load16(from + 2);
    scaled(to, (s8x16)((q & 15) - 8), d);
    scaled(to + 16, (s8x16)((q >> 4) - 8), d);
  }
}

void CTensorFiles_dequantizeQ4_1(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 20, to += 32) {
    float d = half(from), m = half(from + 2);
    u8x16 q = load16(from + 4);
    scaledPlus(to, q & 15, d, m);
    scaledPlus(to + 16, q >> 4, d, m);
  }
}

void CTensorFiles_dequantizeQ5_0(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 22, to += 32) {
    float d = half(from);
    u8x16 q = load16(from + 6);
    scaled(to, (s8x16)(((q & 15) | fifthBits(from + 2)) - 16), d);
    scaled(to + 16, (s8x16)(((q >> 4) | fifthBits(from + 4)) - 16), d);
  }
}

void CTensorFiles_dequantizeQ5_1(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 24, to += 32) {
    float d = half(from), m = half(from + 2);
    u8x16 q = load16(from + 8);
    scaledPlus(to, (q & 15) | fifthBits(from + 4), d, m);
    scaledPlus(to + 16, (q >> 4) | fifthBits(from + 6), d, m);
  }
}

// The scale and the minimum of the i-th 32 of 256 weights, 6 bits each, from 12 bytes: those of the first four lie in the low 6 bits of
// bytes 0…3 and 4…7; the others have their low 4 bits in bytes 8…11 and their high 2 in the bits that the first four leave.
static inline uint8_t scaleOf(const uint8_t *packed, int i) {
  return (uint8_t)(i < 4 ? packed[i] & 63 : (packed[i + 4] & 15) | (packed[i - 4] >> 6) << 4);
}
static inline uint8_t minimumOf(const uint8_t *packed, int i) {
  return (uint8_t)(i < 4 ? packed[i + 4] & 63 : packed[i + 4] >> 4 | (packed[i] >> 6) << 4);
}

// Of 64 weights, the low halves of 32 bytes are the first 32, the high halves the others.

void CTensorFiles_dequantizeQ4_K(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 144, to += 256) {
    float d = half(from), e = half(from + 2);
    const uint8_t *packed = from + 4;
    for (int i = 0; i < 8; i += 2) {
      float d0 = d * scaleOf(packed, i), m0 = e * minimumOf(packed, i);
      float d1 = d * scaleOf(packed, i + 1), m1 = e * minimumOf(packed, i + 1);
      for (int j = 0; j < 32; j += 16) {
        u8x16 q = load16(from + 16 + 16 * i + j);
        scaledMinus(to + 32 * i + j, q & 15, d0, m0);
        scaledMinus(to + 32 * i + 32 + j, q >> 4, d1, m1);
      }
    }
  }
}

void CTensorFiles_dequantizeQ5_K(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 176, to += 256) {
    float d = half(from), e = half(from + 2);
    const uint8_t *packed = from + 4;
    // Bit i of 32 bytes is the fifth bit of the i-th 32 weights.
    u8x16 fifth[2] = {load16(from + 16), load16(from + 32)};
    for (int i = 0; i < 8; i += 2) {
      float d0 = d * scaleOf(packed, i), m0 = e * minimumOf(packed, i);
      float d1 = d * scaleOf(packed, i + 1), m1 = e * minimumOf(packed, i + 1);
      for (int j = 0; j < 2; j++) {
        u8x16 q = load16(from + 48 + 16 * i + 16 * j);
        u8x16 bits = fifth[j] >> (uint8_t)i;
        scaledMinus(to + 32 * i + 16 * j, (q & 15) | (bits & 1) << 4, d0, m0);
        scaledMinus(to + 32 * i + 32 + 16 * j, (q >> 4) | (bits & 2) << 3, d1, m1);
      }
    }
  }
}

void CTensorFiles_dequantizeQ6_K(const uint8_t *from, size_t blocks, float *to) {
  for (; blocks-- > 0; from += 210, to += 256) {
    float d = half(from + 208);
    for (int part = 0; part < 2; part++) {
      // 128 weights in four quarters: the low 4 bits are the low halves of 64 bytes, then the high ones; the high 2 bits of the
      // quarters lie beside each other in 32 bytes. Eight scales, one for each 16 weights.
      const uint8_t *low = from + 64 * part, *high = from + 128 + 32 * part;
      const int8_t *scales = (const int8_t *)from + 192 + 8 * part;
      float *out = to + 128 * part;
      for (int j = 0; j < 2; j++) {
        u8x16 first = load16(low + 16 * j), second = load16(low + 32 + 16 * j), bits = load16(high + 16 * j);
        scaled(out + 16 * j, (s8x16)(((first & 15) | (bits & 3) << 4) - 32), d * scales[j]);
        scaled(out + 32 + 16 * j, (s8x16)(((second & 15) | (bits & 12) << 2) - 32), d * scales[2 + j]);
        scaled(out + 64 + 16 * j, (s8x16)(((first >> 4) | (bits & 48)) - 32), d * scales[4 + j]);
        scaled(out + 96 + 16 * j, (s8x16)(((second >> 4) | (bits & 192) >> 2) - 32), d * scales[6 + j]);
      }
    }
  }
}
