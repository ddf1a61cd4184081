// The SIMD vocabulary without SIMD: vectors of one element. Every other vocabulary means what this one says.
//
// f32_vec, f64_vec       a vector                     f32_lanes   how many elements it has
// f32_registers          how many vectors the CPU has names for
// load_n(p, n, fill)     the first n elements of p, `fill` in the other lanes; 0 <= n < lanes
// store_n(p, v, n)       the first n lanes
// load_f16(p), load_bf16(p), store_f16(p, v), store_bf16(p, v)   a vector of half-precision words, rounded to nearest even
// load_i8(p)             a vector of int8
// load_i4(row, c)        the columns of a row of int4 blocks from c on, a multiple of lanes: integers times their scale, rounded once
// store_i8(p, v), store_i16(p, v)   integers, rounded to nearest even; |v| is at most 127, 32767
// fma(a, b, c)           a * b + c, rounded once where the hardware does
// fma_exact(a, b, c)     the same, and the product is not rounded on any hardware
// max(a, b), min(a, b)   the larger, the smaller; b where either is NaN
// abs(x), copysign(x, s) x without its sign, with the sign of s
// select_less(a, b, x, y)  x where a < b, y elsewhere: where a or b is NaN too
// iota()                 0, 1, 2, ...: each lane's number
// round(x)               to the nearest integer, ties to even; f64 for |x| < 2^51 only
// scale2(x, n)           x * 2^n for integral n <= 0, right below the normal range too
// scale2_flush(x, n)     x * 2^n for integral n <= 127, where results below the normal range may become 0; n may be -infinity.
//                        NaN where x is
// less_bits(a, b)        bit i is set where lane i of a is less than that of b
// select_bits(bits, x, y)  lane i is that of x where bit i is set, that of y elsewhere; further bits do not count
// flip(x, signs)         the bits of x, flipped where those of `signs` are set
// unzip(a, b)            of the 2 * lanes elements of a and b in a row, those at even places to a, at odd ones to b
// zip(a, b)              the reverse: the elements of a and b in turn
// reduce_each(v)         lane i is the sum of the lanes of v[i], added in the same order for every i; v is overwritten
// transpose(rows)        lane j of vector i and lane i of vector j change places, for `lanes` vectors
// set1_word(p)           the 32 bits at p, wherever they lie, in every lane
// load_words(p, n)       the first n words of 32 bits at p, wherever they lie, 0 in the other lanes; 0 <= n <= lanes
// pack_pairs(low, high)  words of two bf16 numbers: the low halves are `low` rounded to nearest even, the high ones `high`;
//                        subnormal numbers may become 0
// dot_pairs(acc, a, b)   acc + low(a) low(b) + high(a) high(b) of such words; subnormal numbers may count as 0
// load_i8_pairs(p)       words of two int16: the 2 * lanes int8 at p
// dot_i16(acc, a, b)     words of int32: acc plus the products of two int16 of a with those of b that are at the same places. Which two a
//                        lane adds is the vocabulary's choice; sums beyond int32 are not asked for
// dot_neighbours(acc, a, b)   the same of the two int16 of each word with those of the same word of b
// reduce_each_i32(v)     as reduce_each, of words of int32
// from_i32(v)            words of int32 as numbers, rounded to nearest even
// tile_rows              so many keys times two vectors of queries are summed up in registers

#ifndef CATTENTIONKERNELS_SIMD_SCALAR_H
#define CATTENTIONKERNELS_SIMD_SCALAR_H

#include "half.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef float f32_vec;
enum { f32_lanes = 1, f32_registers = 16 };
static inline f32_vec f32_load(const float *p) { return *p; }
static inline void f32_store(float *p, f32_vec v) { *p = v; }
static inline f32_vec f32_load_n(const float *p, ptrdiff_t n, float fill) { return n > 0 ? *p : fill; }
static inline void f32_store_n(float *p, f32_vec v, ptrdiff_t n) {
  if (n > 0)
    *p = v;
}
static inline f32_vec f32_set1(float x) { return x; }
static inline f32_vec f32_load_f16(const uint16_t *p) { return attn_f32_from_f16_bits(*p); }
static inline f32_vec f32_load_bf16(const uint16_t *p) { return attn_f32_from_bf16(*p); }
static inline f32_vec f32_load_i8(const int8_t *p) { return *p; }
static inline f32_vec f32_load_i4(const void *row, ptrdiff_t c) {
  const char *block = (const char *)row + c / 32 * 20;
  float scale;
  uint8_t pair;
  memcpy(&scale, block, sizeof scale);
  memcpy(&pair, block + 4 + c % 16, sizeof pair);
  return (float)(((c & 16 ? pair >> 4 : pair & 15) ^ 8) - 8) * scale;
}
static inline void f32_store_f16(uint16_t *p, f32_vec v) { *p = attn_f16_from_f32_bits(v); }
static inline void f32_store_bf16(uint16_t *p, f32_vec v) { *p = attn_bf16_from_f32(v); }
static inline f32_vec f32_add(f32_vec a, f32_vec b) { return a + b; }
static inline f32_vec f32_sub(f32_vec a, f32_vec b) { return a - b; }
static inline f32_vec f32_mul(f32_vec a, f32_vec b) { return a * b; }
// Asked for by name: what a compiler may fuse it does in one loop and not in the next, and bits would depend on the loop.
#if defined(__FP_FAST_FMAF)
static inline f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return __builtin_fmaf(a, b, c); }
#else
static inline f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return a * b + c; }
#endif
// A double holds the product of two floats.
static inline f32_vec f32_fma_exact(f32_vec a, f32_vec b, f32_vec c) { return (float)((double)a * b + c); }
static inline f32_vec f32_max(f32_vec a, f32_vec b) { return a > b ? a : b; }
static inline f32_vec f32_min(f32_vec a, f32_vec b) { return a < b ? a : b; }
static inline f32_vec f32_div(f32_vec a, f32_vec b) { return a / b; }
static inline f32_vec f32_abs(f32_vec x) { return __builtin_fabsf(x); }
static inline f32_vec f32_copysign(f32_vec x, f32_vec s) { return __builtin_copysignf(x, s); }
static inline f32_vec f32_select_less(f32_vec a, f32_vec b, f32_vec x, f32_vec y) { return a < b ? x : y; }
static inline f32_vec f32_iota(void) { return 0; }
static inline void f32_unzip(f32_vec *a, f32_vec *b) { (void)a, (void)b; }
static inline void f32_zip(f32_vec *a, f32_vec *b) { (void)a, (void)b; }
static inline void f32_transpose(f32_vec rows[f32_lanes]) { (void)rows; }
static inline float f32_reduce_add(f32_vec v) { return v; }
static inline f32_vec f32_reduce_each(f32_vec v[f32_lanes]) { return v[0]; }
static inline f32_vec f32_reduce_each_i32(f32_vec v[f32_lanes]) { return v[0]; }
static inline float f32_reduce_max(f32_vec v) { return v; }
static inline f32_vec f32_round(f32_vec x) {
  // Adding 1.5 * 2^23 leaves no bits for the fraction; the addition itself rounds to nearest even. From 2^22 on that would
  // round to 2 and more; there what is left of a fraction is a half, from 2^23 on nothing.
  const float shift = 0x1.8p23f;
  if (__builtin_fabsf(x) < 0x1p22f)
    return (x + shift) - shift;
  return __builtin_fabsf(x) < 0x1p23f ? __builtin_rintf(x) : x;
}
static inline void f32_store_i8(int8_t *p, f32_vec v) { *p = (int8_t)f32_round(v); }
static inline void f32_store_i16(int16_t *p, f32_vec v) { *p = (int16_t)f32_round(v); }
static inline f32_vec f32_scale2(f32_vec x, f32_vec n) {
  // 2^n may lie below the normal range where x * 2^n does not round to 0: two factors that are both normal.
  int32_t whole = (int32_t)(n == n ? n : 0), half = whole >> 1;
  uint32_t first = (uint32_t)(half + 127) << 23, second = (uint32_t)(whole - half + 127) << 23;
  float a, b;
  memcpy(&a, &first, sizeof a);
  memcpy(&b, &second, sizeof b);
  return x * a * b;
}
static inline f32_vec f32_scale2_flush(f32_vec x, f32_vec n) {
  // Scores that are infinite lead to other n, and nothing uses what comes of them; a conversion of those would be undefined.
  int32_t whole = n > -127.0f ? (n < 127.0f ? (int32_t)n : 127) : -127;
  uint32_t bits = (uint32_t)(whole + 127) << 23;
  float factor;
  memcpy(&factor, &bits, sizeof factor);
  return x * factor;
}
static inline uint32_t f32_less_bits(f32_vec a, f32_vec b) { return a < b; }
static inline f32_vec f32_select_bits(uint32_t bits, f32_vec x, f32_vec y) { return bits & 1 ? x : y; }
static inline f32_vec f32_flip(f32_vec x, f32_vec signs) {
  uint32_t a, b;
  memcpy(&a, &x, sizeof a);
  memcpy(&b, &signs, sizeof b);
  a ^= b;
  memcpy(&x, &a, sizeof x);
  return x;
}
static inline f32_vec f32_set1_word(const void *p) {
  float word;
  memcpy(&word, p, sizeof word);
  return word;
}
static inline f32_vec f32_load_words(const void *p, ptrdiff_t n) { return n > 0 ? f32_set1_word(p) : 0; }
static inline f32_vec f32_pack_pairs(f32_vec low, f32_vec high) {
  uint32_t bits = attn_bf16_from_f32(low) | (uint32_t)attn_bf16_from_f32(high) << 16;
  return f32_set1_word(&bits);
}
static inline f32_vec f32_dot_pairs(f32_vec acc, f32_vec a, f32_vec b) {
  uint32_t x, y;
  memcpy(&x, &a, sizeof x);
  memcpy(&y, &b, sizeof y);
  acc = f32_fma(attn_f32_from_bf16((uint16_t)x), attn_f32_from_bf16((uint16_t)y), acc);
  return f32_fma(attn_f32_from_bf16((uint16_t)(x >> 16)), attn_f32_from_bf16((uint16_t)(y >> 16)), acc);
}
static inline f32_vec f32_load_i8_pairs(const int8_t *p) {
  const int16_t pair[2] = {p[0], p[1]};
  return f32_set1_word(pair);
}
static inline f32_vec f32_dot_i16(f32_vec acc, f32_vec a, f32_vec b) {
  int16_t x[2], y[2];
  int32_t sum;
  memcpy(x, &a, sizeof x);
  memcpy(y, &b, sizeof y);
  memcpy(&sum, &acc, sizeof sum);
  sum += x[0] * y[0] + x[1] * y[1];
  return f32_set1_word(&sum);
}
static inline f32_vec f32_dot_neighbours(f32_vec acc, f32_vec a, f32_vec b) { return f32_dot_i16(acc, a, b); }
static inline f32_vec f32_from_i32(f32_vec v) {
  int32_t integer;
  memcpy(&integer, &v, sizeof integer);
  return (float)integer;
}
enum { f32_tile_rows = 4 };

typedef double f64_vec;
enum { f64_lanes = 1 };
static inline f64_vec f64_load(const double *p) { return *p; }
static inline void f64_store(double *p, f64_vec v) { *p = v; }
static inline f64_vec f64_load_n(const double *p, ptrdiff_t n, double fill) { return n > 0 ? *p : fill; }
static inline void f64_store_n(double *p, f64_vec v, ptrdiff_t n) {
  if (n > 0)
    *p = v;
}
static inline f64_vec f64_set1(double x) { return x; }
static inline f64_vec f64_add(f64_vec a, f64_vec b) { return a + b; }
static inline f64_vec f64_sub(f64_vec a, f64_vec b) { return a - b; }
static inline f64_vec f64_mul(f64_vec a, f64_vec b) { return a * b; }
#if defined(__FP_FAST_FMA)
static inline f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return __builtin_fma(a, b, c); }
#else
static inline f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return a * b + c; }
#endif
static inline f64_vec f64_max(f64_vec a, f64_vec b) { return a > b ? a : b; }
static inline f64_vec f64_min(f64_vec a, f64_vec b) { return a < b ? a : b; }
static inline f64_vec f64_div(f64_vec a, f64_vec b) { return a / b; }
static inline f64_vec f64_abs(f64_vec x) { return __builtin_fabs(x); }
static inline f64_vec f64_copysign(f64_vec x, f64_vec s) { return __builtin_copysign(x, s); }
static inline f64_vec f64_select_less(f64_vec a, f64_vec b, f64_vec x, f64_vec y) { return a < b ? x : y; }
static inline f64_vec f64_iota(void) { return 0; }
static inline void f64_unzip(f64_vec *a, f64_vec *b) { (void)a, (void)b; }
static inline void f64_zip(f64_vec *a, f64_vec *b) { (void)a, (void)b; }
static inline void f64_transpose(f64_vec rows[f64_lanes]) { (void)rows; }
static inline double f64_reduce_add(f64_vec v) { return v; }
static inline double f64_reduce_max(f64_vec v) { return v; }
static inline f64_vec f64_round(f64_vec x) {
  const double shift = 0x1.8p52;
  return (x + shift) - shift;
}
static inline f64_vec f64_scale2(f64_vec x, f64_vec n) {
  int64_t whole = (int64_t)(n == n ? n : 0), half = whole >> 1;
  uint64_t first = (uint64_t)(half + 1023) << 52, second = (uint64_t)(whole - half + 1023) << 52;
  double a, b;
  memcpy(&a, &first, sizeof a);
  memcpy(&b, &second, sizeof b);
  return x * a * b;
}

#endif
