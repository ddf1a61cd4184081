// The SIMD vocabulary (see simd_scalar.h) for AVX2 and FMA: 8 floats or 4 doubles.

#ifndef CATTENTIONKERNELS_SIMD_AVX2_H
#define CATTENTIONKERNELS_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

// A window into this array, n lanes before its middle, is a mask of the first n lanes.
static const int32_t avx2_mask_words[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

typedef __m256 f32_vec;
enum { f32_lanes = 8, f32_registers = 16 };
static inline __m256i f32_first_lanes(ptrdiff_t n) {
  return _mm256_loadu_si256((const __m256i *)(avx2_mask_words + 8 - n));
}
static inline f32_vec f32_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void f32_store(float *p, f32_vec v) { _mm256_storeu_ps(p, v); }
static inline f32_vec f32_set1(float x) { return _mm256_set1_ps(x); }
static inline f32_vec f32_load_n(const float *p, ptrdiff_t n, float fill) {
  __m256i mask = f32_first_lanes(n);
  return _mm256_blendv_ps(f32_set1(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
static inline void f32_store_n(float *p, f32_vec v, ptrdiff_t n) {
  _mm256_maskstore_ps(p, f32_first_lanes(n), v);
}
static inline f32_vec f32_load_f16(const uint16_t *p) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline f32_vec f32_load_i8(const int8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
static inline f32_vec f32_load_i4(const void *row, ptrdiff_t c) {
  // The half that counts goes to the upper end of a lane, and comes back with its sign.
  const char *block = (const char *)row + c / 32 * 20;
  float scale;
  memcpy(&scale, block, sizeof scale);
  __m256i pairs = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(block + 4 + c % 16)));
  __m256i integers = _mm256_srai_epi32(_mm256_slli_epi32(pairs, c & 16 ? 24 : 28), 28);
  return _mm256_mul_ps(_mm256_cvtepi32_ps(integers), _mm256_set1_ps(scale));
}
static inline __m128i f32_packed_i16(f32_vec v) {
  __m256i integers = _mm256_cvtps_epi32(v);
  return _mm_packs_epi32(_mm256_castsi256_si128(integers), _mm256_extracti128_si256(integers, 1));
}
static inline void f32_store_i8(int8_t *p, f32_vec v) {
  __m128i words = f32_packed_i16(v);
  _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(words, words));
}
static inline void f32_store_i16(int16_t *p, f32_vec v) { _mm_storeu_si128((__m128i *)p, f32_packed_i16(v)); }
static inline void f32_store_f16(uint16_t *p, f32_vec v) {
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline f32_vec f32_load_bf16(const uint16_t *p) {
  __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
}
static inline void f32_store_bf16(uint16_t *p, f32_vec v) {
  // See attn_bf16_from_f32 in half.h.
  __m256i bits = _mm256_castps_si256(v), upper = _mm256_srli_epi32(bits, 16);
  __m256i half_step = _mm256_add_epi32(_mm256_and_si256(upper, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7FFF));
  __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, half_step), 16);
  __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  __m256i words = _mm256_blendv_epi8(rounded, quiet, is_nan);
  words = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), 0x08);
  _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(words));
}
static inline f32_vec f32_add(f32_vec a, f32_vec b) { return _mm256_add_ps(a, b); }
static inline f32_vec f32_sub(f32_vec a, f32_vec b) { return _mm256_sub_ps(a, b); }
static inline f32_vec f32_mul(f32_vec a, f32_vec b) { return _mm256_mul_ps(a, b); }
static inline f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline f32_vec f32_fma_exact(f32_vec a, f32_vec b, f32_vec c) { return f32_fma(a, b, c); }
static inline f32_vec f32_max(f32_vec a, f32_vec b) { return _mm256_max_ps(a, b); }
static inline f32_vec f32_min(f32_vec a, f32_vec b) { return _mm256_min_ps(a, b); }
static inline f32_vec f32_div(f32_vec a, f32_vec b) { return _mm256_div_ps(a, b); }
static inline f32_vec f32_abs(f32_vec x) { return _mm256_andnot_ps(f32_set1(-0.0f), x); }
static inline f32_vec f32_copysign(f32_vec x, f32_vec s) {
  return _mm256_or_ps(f32_abs(x), _mm256_and_ps(f32_set1(-0.0f), s));
}
static inline f32_vec f32_select_less(f32_vec a, f32_vec b, f32_vec x, f32_vec y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline f32_vec f32_iota(void) { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }
static inline float f32_reduce_add(f32_vec v) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
// Each step adds one half of two vectors to their other halves. A blend is cheaper than a shuffle where it does.
#define REDUCE_EACH(name, ADD)                                                                               \
  static inline f32_vec name(f32_vec v[f32_lanes]) {                                                         \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i += 2)                                        \
      v[i] = ADD(_mm256_blend_ps(v[i], v[i + 1], 0xCC), _mm256_shuffle_ps(v[i], v[i + 1], 0x4E));            \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i += 4)                                        \
      v[i] = ADD(_mm256_shuffle_ps(v[i], v[i + 2], 0x88), _mm256_shuffle_ps(v[i], v[i + 2], 0xDD));          \
    return ADD(_mm256_blend_ps(v[0], v[4], 0xF0), _mm256_permute2f128_ps(v[0], v[4], 0x21));                 \
  }
REDUCE_EACH(f32_reduce_each, _mm256_add_ps)
static inline f32_vec f32_add_i32(f32_vec a, f32_vec b) {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
REDUCE_EACH(f32_reduce_each_i32, f32_add_i32)
#undef REDUCE_EACH
static inline float f32_reduce_max(f32_vec v) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
static inline f32_vec f32_round(f32_vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline f32_vec f32_scale2(f32_vec x, f32_vec n) {
  __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
  __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}
static inline f32_vec f32_scale2_flush(f32_vec x, f32_vec n) {
  __m256i whole = _mm256_cvtps_epi32(_mm256_max_ps(n, f32_set1(-127.0f)));
  __m256i factor = _mm256_slli_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(x, _mm256_castsi256_ps(factor));
}
static inline uint32_t f32_less_bits(f32_vec a, f32_vec b) {
  return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline f32_vec f32_select_bits(uint32_t bits, f32_vec x, f32_vec y) {
  const __m256i places = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  __m256i chosen = _mm256_and_si256(_mm256_set1_epi32((int)bits), places);
  return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(chosen, places)));
}
static inline f32_vec f32_flip(f32_vec x, f32_vec signs) { return _mm256_xor_ps(x, signs); }
static inline f32_vec f32_set1_word(const void *p) {
  float word;
  memcpy(&word, p, sizeof word);
  return _mm256_set1_ps(word);
}
static inline f32_vec f32_load_words(const void *p, ptrdiff_t n) {
  return _mm256_maskload_ps((const float *)p, f32_first_lanes(n));
}
static inline f32_vec f32_pack_pairs(f32_vec low, f32_vec high) {
  uint16_t halves[2][8];
  f32_store_bf16(halves[0], low);
  f32_store_bf16(halves[1], high);
  __m256i first = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)halves[0]));
  __m256i second = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)halves[1]));
  return _mm256_castsi256_ps(_mm256_or_si256(first, _mm256_slli_epi32(second, 16)));
}
static inline f32_vec f32_dot_pairs(f32_vec acc, f32_vec a, f32_vec b) {
  const __m256i upper = _mm256_set1_epi32((int)0xFFFF0000);
  __m256i x = _mm256_castps_si256(a), y = _mm256_castps_si256(b);
  acc = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(x, 16)),
                        _mm256_castsi256_ps(_mm256_slli_epi32(y, 16)), acc);
  return _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(x, upper)),
                         _mm256_castsi256_ps(_mm256_and_si256(y, upper)), acc);
}
static inline f32_vec f32_load_i8_pairs(const int8_t *p) {
  return _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p)));
}
static inline f32_vec f32_dot_i16(f32_vec acc, f32_vec a, f32_vec b) {
  return f32_add_i32(acc, _mm256_castsi256_ps(_mm256_madd_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b))));
}
static inline f32_vec f32_dot_neighbours(f32_vec acc, f32_vec a, f32_vec b) { return f32_dot_i16(acc, a, b); }
static inline f32_vec f32_from_i32(f32_vec v) { return _mm256_cvtepi32_ps(_mm256_castps_si256(v)); }
// 12 sums, 2 vectors of queries and a key fill 15 of the 16 registers.
enum { f32_tile_rows = 6 };
static inline void f32_unzip(f32_vec *a, f32_vec *b) {
  // Shuffles work within 128 bits: what they leave is a quarter of a, one of b, one of a, one of b.
  __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(*a, *b, 0x88));
  __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(*a, *b, 0xDD));
  *a = _mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xD8));
  *b = _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xD8));
}
static inline void f32_zip(f32_vec *a, f32_vec *b) {
  f32_vec low = _mm256_unpacklo_ps(*a, *b), high = _mm256_unpackhi_ps(*a, *b);
  *a = _mm256_permute2f128_ps(low, high, 0x20);
  *b = _mm256_permute2f128_ps(low, high, 0x31);
}
static inline void f32_transpose(f32_vec r[f32_lanes]) {
  f32_vec t[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    f32_vec low = r[i], high = r[i + 4];
    r[i] = _mm256_permute2f128_ps(low, high, 0x20);
    r[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
  }
}

typedef __m256d f64_vec;
enum { f64_lanes = 4 };
static inline __m256i f64_first_lanes(ptrdiff_t n) {
  return _mm256_loadu_si256((const __m256i *)(avx2_mask_words + 8 - 2 * n));
}
static inline f64_vec f64_load(const double *p) { return _mm256_loadu_pd(p); }
static inline void f64_store(double *p, f64_vec v) { _mm256_storeu_pd(p, v); }
static inline f64_vec f64_set1(double x) { return _mm256_set1_pd(x); }
static inline f64_vec f64_load_n(const double *p, ptrdiff_t n, double fill) {
  __m256i mask = f64_first_lanes(n);
  return _mm256_blendv_pd(f64_set1(fill), _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask));
}
static inline void f64_store_n(double *p, f64_vec v, ptrdiff_t n) {
  _mm256_maskstore_pd(p, f64_first_lanes(n), v);
}
static inline f64_vec f64_add(f64_vec a, f64_vec b) { return _mm256_add_pd(a, b); }
static inline f64_vec f64_sub(f64_vec a, f64_vec b) { return _mm256_sub_pd(a, b); }
static inline f64_vec f64_mul(f64_vec a, f64_vec b) { return _mm256_mul_pd(a, b); }
static inline f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return _mm256_fmadd_pd(a, b, c); }
static inline f64_vec f64_max(f64_vec a, f64_vec b) { return _mm256_max_pd(a, b); }
static inline f64_vec f64_min(f64_vec a, f64_vec b) { return _mm256_min_pd(a, b); }
static inline f64_vec f64_div(f64_vec a, f64_vec b) { return _mm256_div_pd(a, b); }
static inline f64_vec f64_abs(f64_vec x) { return _mm256_andnot_pd(f64_set1(-0.0), x); }
static inline f64_vec f64_copysign(f64_vec x, f64_vec s) {
  return _mm256_or_pd(f64_abs(x), _mm256_and_pd(f64_set1(-0.0), s));
}
static inline f64_vec f64_select_less(f64_vec a, f64_vec b, f64_vec x, f64_vec y) {
  return _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_LT_OQ));
}
static inline f64_vec f64_iota(void) { return _mm256_setr_pd(0, 1, 2, 3); }
static inline double f64_reduce_add(f64_vec v) {
  __m128d x = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)));
}
static inline double f64_reduce_max(f64_vec v) {
  __m128d x = _mm_max_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
  return _mm_cvtsd_f64(_mm_max_sd(x, _mm_unpackhi_pd(x, x)));
}
static inline f64_vec f64_round(f64_vec x) {
  return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline f64_vec f64_scale2(f64_vec x, f64_vec n) {
  // 32-bit integers hold the exponents; only the two factors are 64 bits wide.
  __m128i whole = _mm256_cvtpd_epi32(n), half = _mm_srai_epi32(whole, 1), bias = _mm_set1_epi32(1023);
  __m256i first = _mm256_cvtepi32_epi64(_mm_add_epi32(half, bias));
  __m256i second = _mm256_cvtepi32_epi64(_mm_add_epi32(_mm_sub_epi32(whole, half), bias));
  x = _mm256_mul_pd(x, _mm256_castsi256_pd(_mm256_slli_epi64(first, 52)));
  return _mm256_mul_pd(x, _mm256_castsi256_pd(_mm256_slli_epi64(second, 52)));
}
static inline void f64_unzip(f64_vec *a, f64_vec *b) {
  f64_vec even = _mm256_unpacklo_pd(*a, *b), odd = _mm256_unpackhi_pd(*a, *b);
  *a = _mm256_permute4x64_pd(even, 0xD8);
  *b = _mm256_permute4x64_pd(odd, 0xD8);
}
static inline void f64_zip(f64_vec *a, f64_vec *b) {
  f64_vec low = _mm256_unpacklo_pd(*a, *b), high = _mm256_unpackhi_pd(*a, *b);
  *a = _mm256_permute2f128_pd(low, high, 0x20);
  *b = _mm256_permute2f128_pd(low, high, 0x31);
}
static inline void f64_transpose(f64_vec r[f64_lanes]) {
  f64_vec a = _mm256_unpacklo_pd(r[0], r[1]), b = _mm256_unpackhi_pd(r[0], r[1]);
  f64_vec c = _mm256_unpacklo_pd(r[2], r[3]), d = _mm256_unpackhi_pd(r[2], r[3]);
  r[0] = _mm256_permute2f128_pd(a, c, 0x20);
  r[1] = _mm256_permute2f128_pd(b, d, 0x20);
  r[2] = _mm256_permute2f128_pd(a, c, 0x31);
  r[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

#endif
