/* exp, tanh, erf and sigmoid of eight floats at once, and conversions of half-width floats.
 *
 * Largest errors against double, over every 61st float of the whole range and densely over [-20, 20]; results below the
 * smallest normal float count in units of the smallest subnormal:
 *   exp 1.1 ulp   tanh 1.4 ulp   erf 1.1 ulp   sigmoid 2.5 ulp
 * NaN gives NaN; infinities give the limits. Needs AVX2, FMA, F16C. */
#ifndef BACKPLANE_VECTOR_MATH_AVX2_H
#define BACKPLANE_VECTOR_MATH_AVX2_H
#if defined(__x86_64__) && !defined(__swift__)
#include <immintrin.h>
#include <stdint.h>

#define BP_FN256 static inline __attribute__((always_inline, target("avx2,fma,f16c,bmi,bmi2")))

/* exp(x). 2^n * p(r) with |r| <= ln 2 / 2; the power in two factors, so that it reaches the subnormals. */
BP_FN256 __m256 bp_exp_avx2(__m256 x) {
  /* NaN first in min and max: the second operand is returned then, so x comes through. */
  __m256 c = _mm256_max_ps(_mm256_set1_ps(-150.0f), _mm256_min_ps(_mm256_set1_ps(150.0f), x));
  __m256 n = _mm256_round_ps(_mm256_mul_ps(c, _mm256_set1_ps(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693145751953125f), c);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(1.42860682030941723212e-6f), r);
  __m256 p = _mm256_set1_ps(1.98756915e-4f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.39819995e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.33345191e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.16657959e-2f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.66666655e-1f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(_mm256_mul_ps(p, r), r, r);
  p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
  __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  __m256i bias = _mm256_set1_epi32(127);
  p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
  return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}

/* 1 / (1 + exp(-x)), by exp(-|x|), so that neither side overflows. */
BP_FN256 __m256 bp_sigmoid_avx2(__m256 x) {
  __m256 one = _mm256_set1_ps(1.0f);
  __m256 e = bp_exp_avx2(_mm256_or_ps(x, _mm256_set1_ps(-0.0f)));
  __m256 top = _mm256_blendv_ps(e, one, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GE_OQ));
  return _mm256_div_ps(top, _mm256_add_ps(one, e));
}

/* tanh(x). An odd polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above. */
BP_FN256 __m256 bp_tanh_avx2(__m256 x) {
  __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f)), a = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
  __m256 s = _mm256_mul_ps(x, x), one = _mm256_set1_ps(1.0f);
  __m256 p = _mm256_set1_ps(-5.70498872745e-3f);
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(2.06390887954e-2f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-5.37397155531e-2f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(1.33314422036e-1f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-3.33332819422e-1f));
  __m256 small = _mm256_fmadd_ps(_mm256_mul_ps(p, s), x, x);
  __m256 e = bp_exp_avx2(_mm256_add_ps(a, a));
  __m256 large = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(e, one)));
  large = _mm256_or_ps(large, sign);
  return _mm256_blendv_ps(large, small, _mm256_cmp_ps(a, _mm256_set1_ps(0.625f), _CMP_LT_OQ));
}

/* erf(x). x + x p(x^2) below 0.9277, 1 - exp(q(|x|)) above. */
BP_FN256 __m256 bp_erf_avx2(__m256 x) {
  __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f)), a = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
  __m256 s = _mm256_mul_ps(x, x);
  __m256 t = _mm256_min_ps(_mm256_set1_ps(4.0f), a); /* erf is 1 from 3.92 on; NaN comes through */
  __m256 ts = _mm256_mul_ps(t, t);
  __m256 q = _mm256_fmadd_ps(_mm256_set1_ps(-1.72853470e-5f), t, _mm256_set1_ps(3.83197126e-4f));
  __m256 u = _mm256_fmadd_ps(_mm256_set1_ps(-3.88396438e-3f), t, _mm256_set1_ps(2.42546219e-2f));
  q = _mm256_fmadd_ps(q, ts, u);
  q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(-1.06777877e-1f));
  q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(-6.34846687e-1f));
  q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(-1.28717512e-1f));
  q = _mm256_fmsub_ps(q, t, t);
  __m256 large = _mm256_or_ps(_mm256_sub_ps(_mm256_set1_ps(1.0f), bp_exp_avx2(q)), sign);
  __m256 p = _mm256_set1_ps(-5.96761703e-4f);
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(4.99119423e-3f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-2.67681349e-2f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(1.12819925e-1f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-3.76125336e-1f));
  p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(1.28379166e-1f));
  __m256 small = _mm256_fmadd_ps(p, x, x);
  return _mm256_blendv_ps(small, large, _mm256_cmp_ps(a, _mm256_set1_ps(0.927734375f), _CMP_GT_OQ));
}

/* Eight bf16 values widened. */
BP_FN256 __m256 bp_bf16_to_f32_avx2(__m128i h) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

/* Rounds to bf16, ties to even; a NaN stays a NaN. */
BP_FN256 __m128i bp_f32_to_bf16_avx2(__m256 x) {
  __m256i b = _mm256_castps_si256(x);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(b, 16), _mm256_set1_epi32(1));
  __m256i r = _mm256_add_epi32(b, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  r = _mm256_blendv_epi8(r, _mm256_or_si256(b, _mm256_set1_epi32(0x400000)), nan);
  r = _mm256_srli_epi32(r, 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1));
}

#endif
#endif
