// tanh(y) for every y, written once for every instruction set. Never beyond 1; NaN stays NaN.
//
// In float: with r = tanh(y / 2), tanh(y) = 2 r / (1 + r^2), and r = y p(z) / (2 + 2 f(z)) with z = y^2.
// Together
//   tanh(y) = (m + m f) / (1 + w),   m = y p,   w = 2 f + f^2 + m^2 / 4,
// one division. Two things make this better than one rational of tanh itself. Where tanh is near 1, an error
// of r counts little (the derivative by r is 0 at r = 1): degrees 2 and 3 of p and f are enough, not 4 and 4,
// and their rounding errors do not show. Where y is small, so are f and w: each sum rounds once at full
// weight. p and f are a minimax fit of tanh's relative error on |y| <= 9.011 (Lawson's iteration); their own
// error is 0.13 ulp. Over all floats the error is at most 3.3 ulp with fma, 4 without; a rational of degrees
// 4 and 4 in z errs by 5.3 and 6.7. The clamp is a float from which on tanh rounds to 1, and where the
// formula gives 1 with fma and without. A reciprocal estimate with a Newton step instead of the division is
// slower where it was tried (Zen 5).
//
// In double: from 0.55 on tanh(y) = 1 - 2 e / (1 + e) with e = exp(-2 y), and below it y + y z P(z) / Q(z), a
// minimax fit whose own error is 0.001 ulp. Both are a term plus a quotient, so they share the division. The
// quotient is never larger than the result, below 0.55 less than a tenth of it, and its rounding errors count
// as much less: 1.6 ulp was the most over 8 million numbers against a result of higher precision.

#ifndef CATTENTIONKERNELS_TANH_H
#define CATTENTIONKERNELS_TANH_H

#include "exp.h"

static inline f32_vec f32_tanh(f32_vec y) {
  const f32_vec bound = f32_set1(0x1.2061p+3f), one = f32_set1(1.0f);
  const f32_vec least = f32_set1(-0x1.2061p+3f), minus_one = f32_set1(-1.0f);
  // max(a, NaN) and min(a, NaN) are NaN.
  y = f32_max(least, f32_min(bound, y));
  f32_vec z = f32_mul(y, y);
  f32_vec p = f32_fma(f32_set1(1.14374353687e-04f), z, f32_set1(2.97794842827e-02f));
  f32_vec f = f32_fma(f32_set1(1.231466171775e-06f), z, f32_set1(1.207141283085e-03f));
  f = f32_mul(z, f32_fma(f, z, f32_set1(1.131127847135e-01f)));
  // y itself stays outside the product: exact where y is tiny, subnormal numbers included.
  f32_vec m = f32_fma(f32_mul(y, z), p, y);
  f32_vec w = f32_fma(f32_mul(m, f32_set1(0.25f)), m, f32_fma(f, f, f32_add(f, f)));
  f32_vec t = f32_div(f32_fma(m, f, m), f32_add(w, one));
  // Just below the bound, rounding may end a step above 1.
  return f32_max(minus_one, f32_min(one, t));
}

// cap * tanh(x / cap) where |x| is at most half the cap: x + x z q(z) with z = (x / cap)^2, six multiplications and no division. q is a
// minimax fit of the relative error (Lawson's iteration), whose own error is 0.25 ulp; with its rounding the result is off by less than 2.
static const float f32_near_tanh_limit = 0.5f;
static inline f32_vec f32_near_softcap(f32_vec x, f32_vec inverse_cap) {
  f32_vec y = f32_mul(x, inverse_cap), z = f32_mul(y, y);
  f32_vec q = f32_fma(f32_set1(1.724149157e-02f), z, f32_set1(-5.304549431e-02f));
  q = f32_fma(q, z, f32_set1(1.332587896e-01f));
  q = f32_fma(q, z, f32_set1(-3.333314390e-01f));
  return f32_fma(f32_mul(x, z), q, x);
}

static inline f64_vec f64_tanh(f64_vec y) {
  const f64_vec bound = f64_set1(0.55), one = f64_set1(1.0);
  f64_vec a = f64_abs(y), z = f64_mul(a, a);
  f64_vec e = f64_exp_nonpositive(f64_mul(a, f64_set1(-2.0)));
  f64_vec p = f64_fma(f64_set1(-1.9924838941443778535e-04), z, f64_set1(-2.0500386516178749898e-02));
  p = f64_fma(p, z, f64_set1(-3.333333333333333118e-01));
  f64_vec q = f64_fma(f64_set1(2.0660908522869886868e-04), z, f64_set1(2.3293447082987864181e-02));
  q = f64_fma(f64_fma(q, z, f64_set1(4.6150115954853199356e-01)), z, one);
  f64_vec numerator = f64_select_less(a, bound, f64_mul(f64_mul(a, z), p), f64_mul(e, f64_set1(-2.0)));
  f64_vec denominator = f64_select_less(a, bound, q, f64_add(e, one));
  f64_vec base = f64_select_less(a, bound, a, one);
  return f64_copysign(f64_add(base, f64_div(numerator, denominator)), y);
}

#endif
