// exp(x) for x <= 0, written once for every instruction set and both precisions.
//
// x = n ln 2 + r with integral n and |r| <= ln 2 / 2, so exp(x) = 2^n exp(r). ln 2 is split into a part with enough
// trailing zeros that n times it is exact and a remainder (Cody and Waite), so r is exact to the last bit or so.
// exp(r) = 1 + r + r^2 q(r): keeping 1 + r outside the polynomial leaves its rounding errors a factor r^2 / 2 < 0.06 small.
// q is a minimax fit of the relative error on |r| <= ln 2 / 2 (Lawson's iteration); its own error is 0.05 ulp in float
// (degree 4) and 0.03 ulp in double (degree 9). Degree 3 in float would err by 1.8 ulp: too much under a bound of 2.
//
// x is clamped where exp(x) rounds to 0 anyway, so that n stays an exponent that scale2 can build. max(a, NaN) is NaN.

#ifndef CATTENTIONKERNELS_EXP_H
#define CATTENTIONKERNELS_EXP_H

static inline f32_vec f32_exp_nonpositive(f32_vec x) {
  // exp(-104) is just under half the smallest subnormal, 2^-150.
  x = f32_max(f32_set1(-104.0f), x);
  f32_vec n = f32_round(f32_mul(x, f32_set1(0x1.715476p+0f)));
  f32_vec r = f32_fma(n, f32_set1(-0x1.62e4p-1f), x);
  r = f32_fma(n, f32_set1(-1.428606765330187e-06f), r);
  f32_vec q = f32_set1(1.381453789e-03f);
  q = f32_fma(q, r, f32_set1(8.368745320e-03f));
  q = f32_fma(q, r, f32_set1(4.166839083e-02f));
  q = f32_fma(q, r, f32_set1(1.666652040e-01f));
  q = f32_fma(q, r, f32_set1(4.999999343e-01f));
  f32_vec e = f32_add(f32_fma(f32_mul(r, r), q, r), f32_set1(1.0f));
  return f32_scale2(e, n);
}

// 2^x for x < 127: n is the nearest integer, 2^x = 2^n 2^r with |r| <= 1/2 and 2^r = 1 + r q(r). q is a minimax fit in units of the
// last place (Lawson's iteration), off by 1.05 of them; with its rounding the result is off by less than 2. Results below the normal
// range may be 0. -infinity gives NaN, because r is infinity less infinity: a score of -infinity that no rule made must not pass for
// a weight of 0.
static inline f32_vec f32_exp2_quotient(f32_vec r) {
  f32_vec q = f32_set1(1.322570747e-03f);
  q = f32_fma(q, r, f32_set1(9.671762925e-03f));
  q = f32_fma(q, r, f32_set1(5.550891439e-02f));
  q = f32_fma(q, r, f32_set1(2.402223704e-01f));
  return f32_fma(q, r, f32_set1(6.931468292e-01f));
}
static inline f32_vec f32_exp2_flush(f32_vec x) {
  f32_vec n = f32_round(x), r = f32_sub(x, n);
  return f32_scale2_flush(f32_fma(f32_exp2_quotient(r), r, f32_set1(1.0f)), n);
}

// 2^x - 1 for 0 <= x <= 16, within 2^-19 of itself however small x is: 2^n r q(r) + (2^n - 1), where the second part is exact. r q(r) is off by
// 1.1e-6 of itself with its rounding, which the sum makes at most 1.6e-6, where it is smallest beside its parts: n = 1 and r = -1/2.
static inline f32_vec f32_exp2_less_one(f32_vec x) {
  const f32_vec one = f32_set1(1.0f), n = f32_round(x), r = f32_sub(x, n), power = f32_scale2_flush(one, n);
  return f32_fma(power, f32_mul(f32_exp2_quotient(r), r), f32_sub(power, one));
}

// The same within 1.02e-4 of 2^x, for results that are rounded to bf16: a fortieth of half its step at 1, 2^-8. q is a minimax fit of the
// relative error with two degrees less; the errors of its rounding are far smaller. 1 at 0.
static inline f32_vec f32_exp2_coarse(f32_vec x) {
  f32_vec n = f32_round(x), r = f32_sub(x, n);
  f32_vec q = f32_fma(f32_set1(5.5008931e-02f), r, f32_set1(2.4221096e-01f));
  q = f32_fma(q, r, f32_set1(6.9328293e-01f));
  return f32_scale2_flush(f32_fma(q, r, f32_set1(1.0f)), n);
}

static inline f64_vec f64_exp_nonpositive(f64_vec x) {
  // exp(-746) is under half the smallest subnormal, 2^-1075.
  x = f64_max(f64_set1(-746.0), x);
  f64_vec n = f64_round(f64_mul(x, f64_set1(0x1.71547652b82fep+0)));
  f64_vec r = f64_fma(n, f64_set1(-6.93147180369123816490e-01), x);
  r = f64_fma(n, f64_set1(-1.90821492927058770002e-10), r);
  f64_vec q = f64_set1(2.50000429118394602e-08);
  q = f64_fma(q, r, f64_set1(2.76303091986910058e-07));
  q = f64_fma(q, r, f64_set1(2.75575867442492229e-06));
  q = f64_fma(q, r, f64_set1(2.48014929408109644e-05));
  q = f64_fma(q, r, f64_set1(1.98412695058148973e-04));
  q = f64_fma(q, r, f64_set1(1.38888889437690935e-03));
  q = f64_fma(q, r, f64_set1(8.33333333349497649e-03));
  q = f64_fma(q, r, f64_set1(4.16666666665296906e-02));
  q = f64_fma(q, r, f64_set1(1.66666666666664104e-01));
  q = f64_fma(q, r, f64_set1(5.00000000000001110e-01));
  f64_vec e = f64_add(f64_fma(f64_mul(r, r), q, r), f64_set1(1.0));
  return f64_scale2(e, n);
}

#endif
