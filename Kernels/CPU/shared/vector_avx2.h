// A register of floats under one set of names: what the kernels in *_vector.h are written with. This file: 8 floats, AVX2.
#ifndef BACKPLANE_CPU_VECTOR_H
#define BACKPLANE_CPU_VECTOR_H
#include "vector_math_avx2.h"

#define VARIANT(name) name##_avx2
#define VARIANT_NAME(name) name "_avx2"
#define VARIANT_NEEDS BP_CPU_AVX2
#define VECTOR_TARGET "avx2,fma,f16c,bmi,bmi2"
enum { LANES = 8 };
typedef __m256 vf;

BP_FN256 __m256i lanes_(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
BP_FN256 vf vf_of(float x) { return _mm256_set1_ps(x); }
BP_FN256 vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
BP_FN256 vf vf_load_some(const float *p, int64_t n) { return _mm256_maskload_ps(p, lanes_(n)); } // n < LANES; the rest is 0
BP_FN256 void vf_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
BP_FN256 void vf_store_some(float *p, vf x, int64_t n) { _mm256_maskstore_ps(p, lanes_(n), x); }
BP_FN256 void vf_store_f16(uint16_t *p, vf x) { _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
BP_FN256 void vf_store_f16_some(uint16_t *p, vf x, int64_t n) {
  uint16_t half[LANES];
  vf_store_f16(half, x);
  for (int64_t i = 0; i < n; i++) p[i] = half[i];
}
// The first n lanes of x, the others of y.
BP_FN256 vf vf_first(vf x, vf y, int64_t n) { return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(lanes_(n))); }
// The first n floats at p, LANES / 2 at most, each twice; neighbours changed over.
BP_FN256 vf vf_twice(const float *p, int64_t n) { return _mm256_permutevar8x32_ps(vf_load_some(p, n), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)); }
BP_FN256 vf vf_swap(vf x) { return _mm256_permute_ps(x, 0xb1); }
BP_FN256 vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
BP_FN256 vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
BP_FN256 vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
BP_FN256 vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
BP_FN256 vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); } // b where either is NaN
BP_FN256 vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
BP_FN256 vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); } // a b + c
BP_FN256 vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
BP_FN256 vf vf_negative(vf x, vf yes, vf no) { return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ)); } // by x < 0
BP_FN256 float vf_sum(vf a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
BP_FN256 float vf_largest(vf a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
BP_FN256 vf vf_exp(vf x) { return bp_exp_avx2(x); }
BP_FN256 vf vf_tanh(vf x) { return bp_tanh_avx2(x); }
BP_FN256 vf vf_erf(vf x) { return bp_erf_avx2(x); }
BP_FN256 vf vf_sigmoid(vf x) { return bp_sigmoid_avx2(x); }

// a + b x^2 times x in double, as the sum of two floats: an argument of exp must be known better than a float is.
BP_FN256 void vf_cubic(vf x, double a, double b, vf *high, vf *low) {
  __m256d x0 = _mm256_cvtps_pd(_mm256_castps256_ps128(x)), x1 = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
  __m256d y0 = _mm256_mul_pd(x0, _mm256_fmadd_pd(_mm256_mul_pd(x0, x0), _mm256_set1_pd(b), _mm256_set1_pd(a)));
  __m256d y1 = _mm256_mul_pd(x1, _mm256_fmadd_pd(_mm256_mul_pd(x1, x1), _mm256_set1_pd(b), _mm256_set1_pd(a)));
  __m128 h0 = _mm256_cvtpd_ps(y0), h1 = _mm256_cvtpd_ps(y1);
  __m128 l0 = _mm256_cvtpd_ps(_mm256_sub_pd(y0, _mm256_cvtps_pd(h0))), l1 = _mm256_cvtpd_ps(_mm256_sub_pd(y1, _mm256_cvtps_pd(h1)));
  *high = _mm256_insertf128_ps(_mm256_castps128_ps256(h0), h1, 1);
  *low = _mm256_insertf128_ps(_mm256_castps128_ps256(l0), l1, 1);
}
#endif
