// Doubles to half precision with one rounding, through float. Float conversions come from the includer.
//
// Rounding to float first and to a half then could round twice: a double just off a tie of the half would
// become the tie. So the way to float rounds to odd (Boldo and Melquiond 2008): toward zero, and the last bit
// of an inexact result becomes 1. It then is no tie, and stays on its side of every tie; two bits more than
// the half has are enough, and float has more even where bfloat16 is subnormal.

#ifndef CATTENTIONKERNELS_HALF_FROM_F64_H
#define CATTENTIONKERNELS_HALF_FROM_F64_H

static inline float attn_odd_f32_from_f64(double value) {
  float nearest = (float)value;
  double back = nearest;
  uint32_t bits = attn_bits_from_float(nearest);
  // One step back where rounding went away from zero; from infinity that is the largest number. NaN stays
  // NaN.
  bits -= __builtin_fabs(back) > __builtin_fabs(value);
  bits |= back != value;
  return attn_float_from_bits(bits);
}

static inline uint16_t attn_f16_from_f64(double value) {
  return attn_f16_from_f32(attn_odd_f32_from_f64(value));
}

static inline uint16_t attn_bf16_from_f64(double value) {
  return attn_bf16_from_f32(attn_odd_f32_from_f64(value));
}

#endif
