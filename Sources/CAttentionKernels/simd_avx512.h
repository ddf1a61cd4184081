// The SIMD vocabulary (see simd_scalar.h) for AVX-512 F, BW, DQ, VL: 16 floats or 8 doubles.

#ifndef CATTENTIONKERNELS_SIMD_AVX512_H
#define CATTENTIONKERNELS_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512 f32_vec;
enum { f32_lanes = 16, f32_registers = 32 };
static inline __mmask16 f32_first_lanes(ptrdiff_t n) { return (__mmask16)((1u << n) - 1u); }
static inline f32_vec f32_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void f32_store(float *p, f32_vec v) { _mm512_storeu_ps(p, v); }
static inline f32_vec f32_set1(float x) { return _mm512_set1_ps(x); }
static inline f32_vec f32_load_n(const float *p, ptrdiff_t n, float fill) {
  return _mm512_mask_loadu_ps(f32_set1(fill), f32_first_lanes(n), p);
}
static inline void f32_store_n(float *p, f32_vec v, ptrdiff_t n) {
  _mm512_mask_storeu_ps(p, f32_first_lanes(n), v);
}
static inline f32_vec f32_load_f16(const uint16_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline f32_vec f32_load_i8(const int8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline f32_vec f32_load_i4(const void *row, ptrdiff_t c) {
  // A table of the 16 products: its index is the low 4 bits of a lane, whatever the others are. Both halves of a block share the table.
  const f32_vec integers = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);
  const char *block = (const char *)row + c / 32 * 20;
  float scale;
  memcpy(&scale, block, sizeof scale);
  __m512i pairs = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(block + 4)));
  __m512i index = _mm512_srli_epi32(pairs, c & 16 ? 4 : 0);
  f32_vec table = _mm512_mul_ps(integers, _mm512_set1_ps(scale));
  // Without this compilers look the factors up, and multiply what they find.
  __asm__("" : "+v"(table));
  return _mm512_permutexvar_ps(index, table);
}
static inline void f32_store_i8(int8_t *p, f32_vec v) {
  _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(v)));
}
static inline void f32_store_i16(int16_t *p, f32_vec v) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(v)));
}
static inline void f32_store_f16(uint16_t *p, f32_vec v) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline f32_vec f32_load_bf16(const uint16_t *p) {
  __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}
static inline void f32_store_bf16(uint16_t *p, f32_vec v) {
  // See attn_bf16_from_f32 in half.h. The instruction for it takes subnormal numbers for 0.
  __m512i bits = _mm512_castps_si512(v), upper = _mm512_srli_epi32(bits, 16);
  __m512i half_step = _mm512_add_epi32(_mm512_and_si512(upper, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7FFF));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, half_step), 16);
  __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  __m512i words = _mm512_mask_or_epi32(rounded, is_nan, upper, _mm512_set1_epi32(0x40));
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(words));
}
static inline f32_vec f32_add(f32_vec a, f32_vec b) { return _mm512_add_ps(a, b); }
static inline f32_vec f32_sub(f32_vec a, f32_vec b) { return _mm512_sub_ps(a, b); }
static inline f32_vec f32_mul(f32_vec a, f32_vec b) { return _mm512_mul_ps(a, b); }
static inline f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline f32_vec f32_fma_exact(f32_vec a, f32_vec b, f32_vec c) { return f32_fma(a, b, c); }
static inline f32_vec f32_max(f32_vec a, f32_vec b) { return _mm512_max_ps(a, b); }
static inline f32_vec f32_min(f32_vec a, f32_vec b) { return _mm512_min_ps(a, b); }
static inline f32_vec f32_div(f32_vec a, f32_vec b) { return _mm512_div_ps(a, b); }
static inline f32_vec f32_abs(f32_vec x) { return _mm512_abs_ps(x); }
static inline f32_vec f32_copysign(f32_vec x, f32_vec s) {
  return _mm512_or_ps(f32_abs(x), _mm512_and_ps(f32_set1(-0.0f), s));
}
static inline f32_vec f32_select_less(f32_vec a, f32_vec b, f32_vec x, f32_vec y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline f32_vec f32_iota(void) {
  return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
static inline float f32_reduce_add(f32_vec v) { return _mm512_reduce_add_ps(v); }
// Each step adds one half of two vectors to their other halves. A blend is cheaper than a shuffle where it does. After the second step every
// 128 bits hold sums of four vectors.
#define REDUCE_EACH(name, ADD)                                                                               \
  static inline f32_vec name(f32_vec v[f32_lanes]) {                                                         \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += 2)                                       \
      v[i] = ADD(_mm512_mask_blend_ps(0xCCCC, v[i], v[i + 1]), _mm512_shuffle_ps(v[i], v[i + 1], 0x4E));     \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += 4)                                       \
      v[i] = ADD(_mm512_shuffle_ps(v[i], v[i + 2], 0x88), _mm512_shuffle_ps(v[i], v[i + 2], 0xDD));          \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += 8)                                       \
      v[i] = ADD(_mm512_mask_blend_ps(0xFF00, v[i], v[i + 4]), _mm512_shuffle_f32x4(v[i], v[i + 4], 0x4E));  \
    return ADD(_mm512_shuffle_f32x4(v[0], v[8], 0x88), _mm512_shuffle_f32x4(v[0], v[8], 0xDD));              \
  }
REDUCE_EACH(f32_reduce_each, _mm512_add_ps)
static inline f32_vec f32_add_i32(f32_vec a, f32_vec b) {
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
REDUCE_EACH(f32_reduce_each_i32, f32_add_i32)
#undef REDUCE_EACH
static inline float f32_reduce_max(f32_vec v) { return _mm512_reduce_max_ps(v); }
static inline f32_vec f32_round(f32_vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline f32_vec f32_scale2(f32_vec x, f32_vec n) { return _mm512_scalef_ps(x, n); }
static inline f32_vec f32_scale2_flush(f32_vec x, f32_vec n) {
  // By -infinity the instruction scales NaN to 0.
  return _mm512_scalef_ps(x, _mm512_max_ps(n, f32_set1(-200.0f)));
}
static inline uint32_t f32_less_bits(f32_vec a, f32_vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline f32_vec f32_select_bits(uint32_t bits, f32_vec x, f32_vec y) {
  return _mm512_mask_blend_ps((__mmask16)bits, y, x);
}
static inline f32_vec f32_flip(f32_vec x, f32_vec signs) { return _mm512_xor_ps(x, signs); }
static inline f32_vec f32_set1_word(const void *p) {
  float word;
  memcpy(&word, p, sizeof word);
  return _mm512_set1_ps(word);
}
static inline f32_vec f32_load_words(const void *p, ptrdiff_t n) {
  return _mm512_maskz_loadu_ps(f32_first_lanes(n), p);
}
#ifdef CATTENTIONKERNELS_AVX512_BF16
static inline f32_vec f32_pack_pairs(f32_vec low, f32_vec high) {
  // What the conversion leaves is all of `low`, then all of `high`.
  const __m512i in_turn = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                           5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  return _mm512_castsi512_ps(_mm512_permutexvar_epi16(in_turn, halves));
}
static inline f32_vec f32_dot_pairs(f32_vec acc, f32_vec a, f32_vec b) {
  return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
}
#else
static inline f32_vec f32_pack_pairs(f32_vec low, f32_vec high) {
  uint16_t halves[2][16];
  f32_store_bf16(halves[0], low);
  f32_store_bf16(halves[1], high);
  __m512i first = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)halves[0]));
  __m512i second = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)halves[1]));
  return _mm512_castsi512_ps(_mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
}
static inline f32_vec f32_dot_pairs(f32_vec acc, f32_vec a, f32_vec b) {
  const __m512i upper = _mm512_set1_epi32((int)0xFFFF0000);
  __m512i x = _mm512_castps_si512(a), y = _mm512_castps_si512(b);
  acc = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
                        _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), acc);
  return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, upper)),
                         _mm512_castsi512_ps(_mm512_and_si512(y, upper)), acc);
}
#endif
static inline f32_vec f32_load_i8_pairs(const int8_t *p) {
  return _mm512_castsi512_ps(_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p)));
}
static inline f32_vec f32_dot_i16(f32_vec acc, f32_vec a, f32_vec b) {
  __m512i sum = _mm512_castps_si512(acc), x = _mm512_castps_si512(a), y = _mm512_castps_si512(b);
#ifdef CATTENTIONKERNELS_AVX512_VNNI
  return _mm512_castsi512_ps(_mm512_dpwssd_epi32(sum, x, y));
#else
  return _mm512_castsi512_ps(_mm512_add_epi32(sum, _mm512_madd_epi16(x, y)));
#endif
}
static inline f32_vec f32_dot_neighbours(f32_vec acc, f32_vec a, f32_vec b) { return f32_dot_i16(acc, a, b); }
static inline f32_vec f32_from_i32(f32_vec v) { return _mm512_cvtepi32_ps(_mm512_castps_si512(v)); }
// 16 sums, 2 vectors of queries, a key, and what the exponential of the tile before needs: 32 registers hold them.
enum { f32_tile_rows = 8 };
static inline void f32_unzip(f32_vec *a, f32_vec *b) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  f32_vec low = *a, high = *b;
  *a = _mm512_permutex2var_ps(low, even, high);
  *b = _mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high);
}
static inline void f32_zip(f32_vec *a, f32_vec *b) {
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  f32_vec even = *a, odd = *b;
  *a = _mm512_permutex2var_ps(even, first, odd);
  *b = _mm512_permutex2var_ps(even, _mm512_add_epi32(first, _mm512_set1_epi32(8)), odd);
}
static inline void f32_transpose(f32_vec r[f32_lanes]) {
  f32_vec t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  // Now 4 x 4 blocks are in place; what is left is to exchange blocks.
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
  }
}

typedef __m512d f64_vec;
enum { f64_lanes = 8 };
static inline __mmask8 f64_first_lanes(ptrdiff_t n) { return (__mmask8)((1u << n) - 1u); }
static inline f64_vec f64_load(const double *p) { return _mm512_loadu_pd(p); }
static inline void f64_store(double *p, f64_vec v) { _mm512_storeu_pd(p, v); }
static inline f64_vec f64_set1(double x) { return _mm512_set1_pd(x); }
static inline f64_vec f64_load_n(const double *p, ptrdiff_t n, double fill) {
  return _mm512_mask_loadu_pd(f64_set1(fill), f64_first_lanes(n), p);
}
static inline void f64_store_n(double *p, f64_vec v, ptrdiff_t n) {
  _mm512_mask_storeu_pd(p, f64_first_lanes(n), v);
}
static inline f64_vec f64_add(f64_vec a, f64_vec b) { return _mm512_add_pd(a, b); }
static inline f64_vec f64_sub(f64_vec a, f64_vec b) { return _mm512_sub_pd(a, b); }
static inline f64_vec f64_mul(f64_vec a, f64_vec b) { return _mm512_mul_pd(a, b); }
static inline f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return _mm512_fmadd_pd(a, b, c); }
static inline f64_vec f64_max(f64_vec a, f64_vec b) { return _mm512_max_pd(a, b); }
static inline f64_vec f64_min(f64_vec a, f64_vec b) { return _mm512_min_pd(a, b); }
static inline f64_vec f64_div(f64_vec a, f64_vec b) { return _mm512_div_pd(a, b); }
static inline f64_vec f64_abs(f64_vec x) { return _mm512_abs_pd(x); }
static inline f64_vec f64_copysign(f64_vec x, f64_vec s) {
  return _mm512_or_pd(f64_abs(x), _mm512_and_pd(f64_set1(-0.0), s));
}
static inline f64_vec f64_select_less(f64_vec a, f64_vec b, f64_vec x, f64_vec y) {
  return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline f64_vec f64_iota(void) { return _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7); }
static inline double f64_reduce_add(f64_vec v) { return _mm512_reduce_add_pd(v); }
static inline double f64_reduce_max(f64_vec v) { return _mm512_reduce_max_pd(v); }
static inline f64_vec f64_round(f64_vec x) {
  return _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline f64_vec f64_scale2(f64_vec x, f64_vec n) { return _mm512_scalef_pd(x, n); }
static inline void f64_unzip(f64_vec *a, f64_vec *b) {
  const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  f64_vec low = *a, high = *b;
  *a = _mm512_permutex2var_pd(low, even, high);
  *b = _mm512_permutex2var_pd(low, _mm512_add_epi64(even, _mm512_set1_epi64(1)), high);
}
static inline void f64_zip(f64_vec *a, f64_vec *b) {
  const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  f64_vec even = *a, odd = *b;
  *a = _mm512_permutex2var_pd(even, first, odd);
  *b = _mm512_permutex2var_pd(even, _mm512_add_epi64(first, _mm512_set1_epi64(4)), odd);
}
static inline void f64_transpose(f64_vec r[f64_lanes]) {
  f64_vec t[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
  }
  // Now 2 x 2 blocks are in place; what is left is to exchange blocks.
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++) {
    r[i] = _mm512_shuffle_f64x2(t[i], t[i + 2], 0x88);
    r[i + 2] = _mm512_shuffle_f64x2(t[i], t[i + 2], 0xDD);
    r[i + 4] = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0x88);
    r[i + 6] = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0xDD);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    f64_vec low = r[i], high = r[i + 4];
    r[i] = _mm512_shuffle_f64x2(low, high, 0x88);
    r[i + 4] = _mm512_shuffle_f64x2(low, high, 0xDD);
  }
}

#endif
