// The SIMD vocabulary (see simd_scalar.h) for AArch64's Advanced SIMD: 4 floats or 2 doubles.

#ifndef CATTENTIONKERNELS_SIMD_NEON_H
#define CATTENTIONKERNELS_SIMD_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef float32x4_t f32_vec;
enum { f32_lanes = 4, f32_registers = 32 };
static inline f32_vec f32_load(const float *p) { return vld1q_f32(p); }
static inline void f32_store(float *p, f32_vec v) { vst1q_f32(p, v); }
static inline f32_vec f32_set1(float x) { return vdupq_n_f32(x); }
// There are no masked loads and stores: halves of a vector and single lanes make up 1 to 3 elements.
static inline f32_vec f32_load_n(const float *p, ptrdiff_t n, float fill) {
  f32_vec v = f32_set1(fill);
  if (n & 2) {
    v = vcombine_f32(vld1_f32(p), vget_high_f32(v));
    return n & 1 ? vld1q_lane_f32(p + 2, v, 2) : v;
  }
  return n & 1 ? vld1q_lane_f32(p, v, 0) : v;
}
static inline void f32_store_n(float *p, f32_vec v, ptrdiff_t n) {
  if (n & 2) {
    vst1_f32(p, vget_low_f32(v));
    if (n & 1)
      vst1q_lane_f32(p + 2, v, 2);
  } else if (n & 1) {
    vst1q_lane_f32(p, v, 0);
  }
}
static inline f32_vec f32_load_f16(const uint16_t *p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
// The 4 bytes at p, which are signed, as words.
static inline int32x4_t f32_words_of_bytes(const void *p) {
  uint32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bytes)))));
}
static inline f32_vec f32_load_i8(const int8_t *p) { return vcvtq_f32_s32(f32_words_of_bytes(p)); }
static inline f32_vec f32_load_i4(const void *row, ptrdiff_t c) {
  // The half that counts goes to the upper end of a lane, and comes back with its sign.
  const char *block = (const char *)row + c / 32 * 20;
  float scale;
  memcpy(&scale, block, sizeof scale);
  int32x4_t upper = vshlq_s32(f32_words_of_bytes(block + 4 + c % 16), vdupq_n_s32(c & 16 ? 24 : 28));
  return vmulq_n_f32(vcvtq_f32_s32(vshrq_n_s32(upper, 28)), scale);
}
static inline void f32_store_i16(int16_t *p, f32_vec v) { vst1_s16(p, vqmovn_s32(vcvtnq_s32_f32(v))); }
static inline void f32_store_i8(int8_t *p, f32_vec v) {
  int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(v));
  uint32_t bytes = vget_lane_u32(vreinterpret_u32_s8(vqmovn_s16(vcombine_s16(words, words))), 0);
  memcpy(p, &bytes, sizeof bytes);
}
static inline void f32_store_f16(uint16_t *p, f32_vec v) {
  vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}
static inline f32_vec f32_load_bf16(const uint16_t *p) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p)), 16));
}
// Words whose upper halves are v as bf16; the lower halves are what rounding leaves there. See
// attn_bf16_from_f32 in half.h.
static inline uint32x4_t f32_upper_bf16(f32_vec v) {
  uint32x4_t bits = vreinterpretq_u32_f32(v), last_kept = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(last_kept, vdupq_n_u32(0x7FFF)));
  uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  return vbslq_u32(vceqq_f32(v, v), rounded, quiet);
}
static inline void f32_store_bf16(uint16_t *p, f32_vec v) { vst1_u16(p, vshrn_n_u32(f32_upper_bf16(v), 16)); }
static inline f32_vec f32_add(f32_vec a, f32_vec b) { return vaddq_f32(a, b); }
static inline f32_vec f32_sub(f32_vec a, f32_vec b) { return vsubq_f32(a, b); }
static inline f32_vec f32_mul(f32_vec a, f32_vec b) { return vmulq_f32(a, b); }
static inline f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return vfmaq_f32(c, a, b); }
static inline f32_vec f32_fma_exact(f32_vec a, f32_vec b, f32_vec c) { return f32_fma(a, b, c); }
// Not FMAX and FMIN, which give NaN where either is, nor FMAXNM and FMINNM, which never do where only one is.
static inline f32_vec f32_max(f32_vec a, f32_vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline f32_vec f32_min(f32_vec a, f32_vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline f32_vec f32_div(f32_vec a, f32_vec b) { return vdivq_f32(a, b); }
static inline f32_vec f32_abs(f32_vec x) { return vabsq_f32(x); }
static inline f32_vec f32_copysign(f32_vec x, f32_vec s) { return vbslq_f32(vdupq_n_u32(0x80000000), s, x); }
static inline f32_vec f32_select_less(f32_vec a, f32_vec b, f32_vec x, f32_vec y) {
  return vbslq_f32(vcltq_f32(a, b), x, y);
}
static inline uint32x4_t f32_places(void) {
  static const uint32_t places[4] = {1, 2, 4, 8};
  return vld1q_u32(places);
}
static inline uint32_t f32_less_bits(f32_vec a, f32_vec b) {
  return vaddvq_u32(vandq_u32(vcltq_f32(a, b), f32_places()));
}
static inline f32_vec f32_select_bits(uint32_t bits, f32_vec x, f32_vec y) {
  return vbslq_f32(vtstq_u32(vdupq_n_u32(bits), f32_places()), x, y);
}
static inline f32_vec f32_flip(f32_vec x, f32_vec signs) {
  return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), vreinterpretq_u32_f32(signs)));
}
static inline f32_vec f32_iota(void) {
  static const float places[4] = {0, 1, 2, 3};
  return vld1q_f32(places);
}
static inline float f32_reduce_add(f32_vec v) { return vaddvq_f32(v); }
static inline float f32_reduce_max(f32_vec v) { return vmaxvq_f32(v); }
static inline f32_vec f32_reduce_each(const f32_vec v[f32_lanes]) {
  return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}
static inline f32_vec f32_round(f32_vec x) { return vrndnq_f32(x); }
static inline f32_vec f32_scale2(f32_vec x, f32_vec n) {
  int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1), bias = vdupq_n_s32(127);
  int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
  int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
  return vmulq_f32(vmulq_f32(x, vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second));
}
static inline f32_vec f32_scale2_flush(f32_vec x, f32_vec n) {
  // The conversion multiplies by 2^23 on its way: n arrives where the exponent's bits are. -127 leaves the
  // factor 0.
  int32x4_t exponent = vcvtq_n_s32_f32(vmaxq_f32(n, f32_set1(-127)), 23);
  return vmulq_f32(x, vreinterpretq_f32_s32(vaddq_s32(exponent, vdupq_n_s32(127 << 23))));
}
static inline void f32_unzip(f32_vec *a, f32_vec *b) {
  f32_vec even = vuzp1q_f32(*a, *b), odd = vuzp2q_f32(*a, *b);
  *a = even;
  *b = odd;
}
static inline void f32_zip(f32_vec *a, f32_vec *b) {
  f32_vec low = vzip1q_f32(*a, *b), high = vzip2q_f32(*a, *b);
  *a = low;
  *b = high;
}
// What two vectors have in their lower, their upper halves.
static inline f32_vec f32_lower_halves(f32_vec a, f32_vec b) {
  return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
static inline f32_vec f32_upper_halves(f32_vec a, f32_vec b) {
  return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
static inline void f32_transpose(f32_vec r[f32_lanes]) {
  // 2 x 2 blocks, each in itself; then the two that change places.
  f32_vec even0 = vtrn1q_f32(r[0], r[1]), odd0 = vtrn2q_f32(r[0], r[1]);
  f32_vec even2 = vtrn1q_f32(r[2], r[3]), odd2 = vtrn2q_f32(r[2], r[3]);
  r[0] = f32_lower_halves(even0, even2);
  r[1] = f32_lower_halves(odd0, odd2);
  r[2] = f32_upper_halves(even0, even2);
  r[3] = f32_upper_halves(odd0, odd2);
}

// Words of 32 bits that are pairs of bf16 numbers. The instruction for their products (BFDOT) is an extension
// that not every CPU has, and takes subnormal numbers for 0.
enum { f32_tile_rows = 8 };
static inline f32_vec f32_set1_word(const void *p) {
  uint32_t word;
  memcpy(&word, p, sizeof word);
  return vreinterpretq_f32_u32(vdupq_n_u32(word));
}
static inline f32_vec f32_load_words(const void *p, ptrdiff_t n) {
  if (n == 4)
    return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p));
  uint32_t words[4] = {0, 0, 0, 0};
  memcpy(words, p, (size_t)n * sizeof *words);
  return vreinterpretq_f32_u32(vld1q_u32(words));
}
static inline f32_vec f32_pair_low(f32_vec pairs) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(pairs), 16));
}
static inline f32_vec f32_pair_high(f32_vec pairs) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(pairs), vdupq_n_u32(0xFFFF0000)));
}
static inline f32_vec f32_dot_pairs(f32_vec acc, f32_vec a, f32_vec b) {
  acc = vfmaq_f32(acc, f32_pair_low(a), f32_pair_low(b));
  return vfmaq_f32(acc, f32_pair_high(a), f32_pair_high(b));
}
static inline f32_vec f32_pack_pairs(f32_vec low, f32_vec high) {
  // The upper halves stay, the others' upper halves move under them.
  return vreinterpretq_f32_u32(vsriq_n_u32(f32_upper_bf16(high), f32_upper_bf16(low), 16));
}

// A lane adds columns that are 4 apart.
static inline f32_vec f32_load_i8_pairs(const int8_t *p) { return vreinterpretq_f32_s16(vmovl_s8(vld1_s8(p))); }
static inline f32_vec f32_dot_i16(f32_vec acc, f32_vec a, f32_vec b) {
  int16x8_t x = vreinterpretq_s16_f32(a), y = vreinterpretq_s16_f32(b);
  int32x4_t sum = vmlal_s16(vreinterpretq_s32_f32(acc), vget_low_s16(x), vget_low_s16(y));
  return vreinterpretq_f32_s32(vmlal_high_s16(sum, x, y));
}
static inline f32_vec f32_reduce_each_i32(const f32_vec v[f32_lanes]) {
  int32x4_t low = vpaddq_s32(vreinterpretq_s32_f32(v[0]), vreinterpretq_s32_f32(v[1]));
  int32x4_t high = vpaddq_s32(vreinterpretq_s32_f32(v[2]), vreinterpretq_s32_f32(v[3]));
  return vreinterpretq_f32_s32(vpaddq_s32(low, high));
}
static inline f32_vec f32_dot_neighbours(f32_vec acc, f32_vec a, f32_vec b) {
  int16x8_t x = vreinterpretq_s16_f32(a), y = vreinterpretq_s16_f32(b);
  int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(acc), vpaddq_s32(low, high)));
}
static inline f32_vec f32_from_i32(f32_vec v) { return vcvtq_f32_s32(vreinterpretq_s32_f32(v)); }

typedef float64x2_t f64_vec;
enum { f64_lanes = 2 };
static inline f64_vec f64_load(const double *p) { return vld1q_f64(p); }
static inline void f64_store(double *p, f64_vec v) { vst1q_f64(p, v); }
static inline f64_vec f64_set1(double x) { return vdupq_n_f64(x); }
static inline f64_vec f64_load_n(const double *p, ptrdiff_t n, double fill) {
  f64_vec v = f64_set1(fill);
  return n > 0 ? vld1q_lane_f64(p, v, 0) : v;
}
static inline void f64_store_n(double *p, f64_vec v, ptrdiff_t n) {
  if (n > 0)
    vst1q_lane_f64(p, v, 0);
}
static inline f64_vec f64_add(f64_vec a, f64_vec b) { return vaddq_f64(a, b); }
static inline f64_vec f64_sub(f64_vec a, f64_vec b) { return vsubq_f64(a, b); }
static inline f64_vec f64_mul(f64_vec a, f64_vec b) { return vmulq_f64(a, b); }
static inline f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return vfmaq_f64(c, a, b); }
static inline f64_vec f64_max(f64_vec a, f64_vec b) { return vbslq_f64(vcgtq_f64(a, b), a, b); }
static inline f64_vec f64_min(f64_vec a, f64_vec b) { return vbslq_f64(vcltq_f64(a, b), a, b); }
static inline f64_vec f64_div(f64_vec a, f64_vec b) { return vdivq_f64(a, b); }
static inline f64_vec f64_abs(f64_vec x) { return vabsq_f64(x); }
static inline f64_vec f64_copysign(f64_vec x, f64_vec s) {
  return vbslq_f64(vdupq_n_u64(0x8000000000000000), s, x);
}
static inline f64_vec f64_select_less(f64_vec a, f64_vec b, f64_vec x, f64_vec y) {
  return vbslq_f64(vcltq_f64(a, b), x, y);
}
static inline f64_vec f64_iota(void) {
  static const double places[2] = {0, 1};
  return vld1q_f64(places);
}
static inline double f64_reduce_add(f64_vec v) { return vaddvq_f64(v); }
static inline double f64_reduce_max(f64_vec v) { return vmaxvq_f64(v); }
static inline f64_vec f64_round(f64_vec x) { return vrndnq_f64(x); }
static inline f64_vec f64_scale2(f64_vec x, f64_vec n) {
  int64x2_t whole = vcvtnq_s64_f64(n), half = vshrq_n_s64(whole, 1), bias = vdupq_n_s64(1023);
  int64x2_t first = vshlq_n_s64(vaddq_s64(half, bias), 52);
  int64x2_t second = vshlq_n_s64(vaddq_s64(vsubq_s64(whole, half), bias), 52);
  return vmulq_f64(vmulq_f64(x, vreinterpretq_f64_s64(first)), vreinterpretq_f64_s64(second));
}
static inline void f64_unzip(f64_vec *a, f64_vec *b) {
  f64_vec even = vuzp1q_f64(*a, *b), odd = vuzp2q_f64(*a, *b);
  *a = even;
  *b = odd;
}
static inline void f64_zip(f64_vec *a, f64_vec *b) {
  f64_vec low = vzip1q_f64(*a, *b), high = vzip2q_f64(*a, *b);
  *a = low;
  *b = high;
}
static inline void f64_transpose(f64_vec r[f64_lanes]) { f64_zip(&r[0], &r[1]); }

#endif
