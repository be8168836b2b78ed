/* exp, tanh, erf and sigmoid of sixteen floats at once, and conversions of half-width floats.
 *
 * Largest errors against double, over every 61st float of the whole range and densely over [-20, 20]; results below the
 * smallest normal float count in units of the smallest subnormal:
 *   exp 1.1 ulp   tanh 1.4 ulp   erf 1.1 ulp   sigmoid 2.5 ulp
 * NaN gives NaN; infinities give the limits. Needs AVX-512 F, BW, VL, DQ. */
#ifndef BACKPLANE_VECTOR_MATH_AVX512_H
#define BACKPLANE_VECTOR_MATH_AVX512_H
#if defined(__x86_64__) && !defined(__swift__)
#include <immintrin.h>
#include <stdint.h>

#define BP_FN512 static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2")))

/* exp(x). 2^n * p(r) with |r| <= ln 2 / 2; scalef rounds once into the subnormals. */
BP_FN512 __m512 bp_exp_avx512(__m512 x) {
  /* NaN first in min and max: the second operand is returned then, so x comes through. */
  __m512 c = _mm512_max_ps(_mm512_set1_ps(-150.0f), _mm512_min_ps(_mm512_set1_ps(150.0f), x));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(c, _mm512_set1_ps(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145751953125f), c);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860682030941723212e-6f), r);
  __m512 p = _mm512_set1_ps(1.98756915e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.39819995e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.33345191e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.16657959e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.66666655e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, r);
  return _mm512_scalef_ps(_mm512_add_ps(p, _mm512_set1_ps(1.0f)), n);
}

/* 1 / (1 + exp(-x)), by exp(-|x|), so that neither side overflows. */
BP_FN512 __m512 bp_sigmoid_avx512(__m512 x) {
  __m512 one = _mm512_set1_ps(1.0f);
  __m512 e = bp_exp_avx512(_mm512_or_ps(x, _mm512_set1_ps(-0.0f)));
  __m512 top = _mm512_mask_mov_ps(e, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ), one);
  return _mm512_div_ps(top, _mm512_add_ps(one, e));
}

/* tanh(x). An odd polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above. */
BP_FN512 __m512 bp_tanh_avx512(__m512 x) {
  __m512 a = _mm512_abs_ps(x), s = _mm512_mul_ps(x, x), one = _mm512_set1_ps(1.0f);
  __m512 p = _mm512_set1_ps(-5.70498872745e-3f);
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(2.06390887954e-2f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-5.37397155531e-2f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(1.33314422036e-1f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-3.33332819422e-1f));
  __m512 small = _mm512_fmadd_ps(_mm512_mul_ps(p, s), x, x);
  __m512 e = bp_exp_avx512(_mm512_add_ps(a, a));
  __m512 large = _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(e, one)));
  large = _mm512_or_ps(large, _mm512_and_ps(x, _mm512_set1_ps(-0.0f)));
  return _mm512_mask_mov_ps(large, _mm512_cmp_ps_mask(a, _mm512_set1_ps(0.625f), _CMP_LT_OQ), small);
}

/* erf(x). x + x p(x^2) below 0.9277, 1 - exp(q(|x|)) above. */
BP_FN512 __m512 bp_erf_avx512(__m512 x) {
  __m512 a = _mm512_abs_ps(x), s = _mm512_mul_ps(x, x);
  __m512 t = _mm512_min_ps(_mm512_set1_ps(4.0f), a); /* erf is 1 from 3.92 on; NaN comes through */
  __m512 ts = _mm512_mul_ps(t, t);
  __m512 q = _mm512_fmadd_ps(_mm512_set1_ps(-1.72853470e-5f), t, _mm512_set1_ps(3.83197126e-4f));
  __m512 u = _mm512_fmadd_ps(_mm512_set1_ps(-3.88396438e-3f), t, _mm512_set1_ps(2.42546219e-2f));
  q = _mm512_fmadd_ps(q, ts, u);
  q = _mm512_fmadd_ps(q, t, _mm512_set1_ps(-1.06777877e-1f));
  q = _mm512_fmadd_ps(q, t, _mm512_set1_ps(-6.34846687e-1f));
  q = _mm512_fmadd_ps(q, t, _mm512_set1_ps(-1.28717512e-1f));
  q = _mm512_fmsub_ps(q, t, t);
  __m512 large = _mm512_sub_ps(_mm512_set1_ps(1.0f), bp_exp_avx512(q));
  large = _mm512_or_ps(large, _mm512_and_ps(x, _mm512_set1_ps(-0.0f)));
  __m512 p = _mm512_set1_ps(-5.96761703e-4f);
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(4.99119423e-3f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-2.67681349e-2f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(1.12819925e-1f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-3.76125336e-1f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(1.28379166e-1f));
  __m512 small = _mm512_fmadd_ps(p, x, x);
  return _mm512_mask_mov_ps(small, _mm512_cmp_ps_mask(a, _mm512_set1_ps(0.927734375f), _CMP_GT_OQ), large);
}

/* Sixteen bf16 values widened. */
BP_FN512 __m512 bp_bf16_to_f32_avx512(__m256i h) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* Rounds to bf16, ties to even; a NaN stays a NaN. */
BP_FN512 __m256i bp_f32_to_bf16_avx512(__m512 x) {
  __m512i b = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));
  __m512i r = _mm512_add_epi32(b, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  r = _mm512_mask_or_epi32(r, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), b, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
}

#endif
#endif
