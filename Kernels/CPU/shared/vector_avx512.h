// A register of floats under one set of names: what the kernels in *_vector.h are written with. This file: 16 floats, AVX-512.
#ifndef BACKPLANE_CPU_VECTOR_H
#define BACKPLANE_CPU_VECTOR_H
#include "vector_math_avx512.h"

#define VARIANT(name) name##_avx512
#define VARIANT_NAME(name) name "_avx512"
#define VARIANT_NEEDS BP_CPU_AVX512
#define VECTOR_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2"
enum { LANES = 16 };
typedef __m512 vf;

BP_FN512 __mmask16 lanes_(int64_t n) { return (__mmask16)((1u << n) - 1); }
BP_FN512 vf vf_of(float x) { return _mm512_set1_ps(x); }
BP_FN512 vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
BP_FN512 vf vf_load_some(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(lanes_(n), p); } // n < LANES; the rest is 0
BP_FN512 void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
BP_FN512 void vf_store_some(float *p, vf x, int64_t n) { _mm512_mask_storeu_ps(p, lanes_(n), x); }
BP_FN512 void vf_store_f16(uint16_t *p, vf x) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
BP_FN512 void vf_store_f16_some(uint16_t *p, vf x, int64_t n) {
  _mm256_mask_storeu_epi16(p, lanes_(n), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
// The first n lanes of x, the others of y.
BP_FN512 vf vf_first(vf x, vf y, int64_t n) { return _mm512_mask_blend_ps(lanes_(n), y, x); }
// The first n floats at p, LANES / 2 at most, each twice; neighbours changed over.
BP_FN512 vf vf_twice(const float *p, int64_t n) {
  return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), vf_load_some(p, n));
}
BP_FN512 vf vf_swap(vf x) { return _mm512_permute_ps(x, 0xb1); }
BP_FN512 vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
BP_FN512 vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
BP_FN512 vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
BP_FN512 vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
BP_FN512 vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); } // b where either is NaN
BP_FN512 vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
BP_FN512 vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); } // a b + c
BP_FN512 vf vf_abs(vf a) { return _mm512_abs_ps(a); }
BP_FN512 vf vf_negative(vf x, vf yes, vf no) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), no, yes); } // by x < 0
BP_FN512 float vf_sum(vf a) { return _mm512_reduce_add_ps(a); }
BP_FN512 float vf_largest(vf a) { return _mm512_reduce_max_ps(a); }
BP_FN512 vf vf_exp(vf x) { return bp_exp_avx512(x); }
BP_FN512 vf vf_tanh(vf x) { return bp_tanh_avx512(x); }
BP_FN512 vf vf_erf(vf x) { return bp_erf_avx512(x); }
BP_FN512 vf vf_sigmoid(vf x) { return bp_sigmoid_avx512(x); }

// a + b x^2 times x in double, as the sum of two floats: an argument of exp must be known better than a float is.
BP_FN512 void vf_cubic(vf x, double a, double b, vf *high, vf *low) {
  __m512d x0 = _mm512_cvtps_pd(_mm512_castps512_ps256(x)), x1 = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
  __m512d y0 = _mm512_mul_pd(x0, _mm512_fmadd_pd(_mm512_mul_pd(x0, x0), _mm512_set1_pd(b), _mm512_set1_pd(a)));
  __m512d y1 = _mm512_mul_pd(x1, _mm512_fmadd_pd(_mm512_mul_pd(x1, x1), _mm512_set1_pd(b), _mm512_set1_pd(a)));
  __m256 h0 = _mm512_cvtpd_ps(y0), h1 = _mm512_cvtpd_ps(y1);
  __m256 l0 = _mm512_cvtpd_ps(_mm512_sub_pd(y0, _mm512_cvtps_pd(h0))), l1 = _mm512_cvtpd_ps(_mm512_sub_pd(y1, _mm512_cvtps_pd(h1)));
  *high = _mm512_insertf32x8(_mm512_castps256_ps512(h0), h1, 1);
  *low = _mm512_insertf32x8(_mm512_castps256_ps512(l0), l1, 1);
}
#endif
