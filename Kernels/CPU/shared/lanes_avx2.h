// Eight floats as one value: the AVX2 meaning of the names that the vector bodies (dot.h, tile.h, attention_vector.h …) are
// written in. A file includes this or lanes_avx512.h, never both.
#ifndef BACKPLANE_CPU_LANES_H
#define BACKPLANE_CPU_LANES_H
#include "decode.h"
#include "vector_math_avx2.h"

#define V_FN BP_FN256
#define V_NAME(name) name##_avx2
enum { LANES = 8, V_REGISTERS = 16 };
typedef __m256 vf;

V_FN vf v_zero(void) { return _mm256_setzero_ps(); }
V_FN vf v_set(float x) { return _mm256_set1_ps(x); }
V_FN vf v_load(const float *p) { return _mm256_loadu_ps(p); }
V_FN void v_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
V_FN vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
V_FN vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
V_FN vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
V_FN vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
V_FN vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); } // b when either is NaN
V_FN vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
V_FN vf v_exp(vf x) { return bp_exp_avx2(x); }
V_FN vf v_tanh(vf x) { return bp_tanh_avx2(x); }
V_FN vf v_erf(vf x) { return bp_erf_avx2(x); }
V_FN vf v_sigmoid(vf x) { return bp_sigmoid_avx2(x); }

V_FN float v_sum(vf x) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
// The sums of four vectors.
V_FN void v_store_sums(float *p, vf a, vf b, vf c, vf d) {
  vf s = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}

// LANES values of a float format.
V_FN vf v_load_as(int code, const void *p) {
  if (code == BP_CODE_F32) return _mm256_loadu_ps(p);
  __m128i h = _mm_loadu_si128(p);
  return code == BP_CODE_F16 ? _mm256_cvtph_ps(h) : bp_bf16_to_f32_avx2(h);
}
// The first n lanes (all of them when n >= LANES) of a float format; the others are 0 and are not read or written.
V_FN vf v_load_some(int code, const void *p, int64_t n) {
  if (n >= 8) return v_load_as(code, p);
  _Alignas(32) char some[32] = {0};
  if (n > 0) memcpy(some, p, (size_t)n * (code == BP_CODE_F32 ? 4 : 2));
  return v_load_as(code, some);
}
V_FN void v_store_some(int code, void *p, int64_t n, vf x) {
  _Alignas(32) char some[32];
  if (n <= 0) return;
  if (code == BP_CODE_F32 && n >= 8) { _mm256_storeu_ps(p, x); return; }
  if (code == BP_CODE_F32) _mm256_store_ps((float *)some, x);
  else _mm_store_si128((__m128i *)some, code == BP_CODE_F16 ? _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT) : bp_f32_to_bf16_avx2(x));
  memcpy(p, some, (size_t)(n < 8 ? n : 8) * (code == BP_CODE_F32 ? 4 : 2));
}

// Transposes 8 rows of 8 floats, `from_row` floats apart, to rows that are `to_row` floats apart.
V_FN void v_transpose(const float *from, int64_t from_row, float *to, int64_t to_row) {
  __m256 r[8], t[8];
  // The lower halves of rows i and i + 4 share a vector, so that no shuffle has to cross halves.
  for (int i = 0; i < 4; i++)
    for (int h = 0; h < 2; h++)
      r[i + 4 * h] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * from_row + 4 * h)), _mm_loadu_ps(from + (i + 4) * from_row + 4 * h), 1);
  for (int h = 0; h < 8; h += 4) {
    t[h] = _mm256_unpacklo_ps(r[h], r[h + 1]);
    t[h + 1] = _mm256_unpackhi_ps(r[h], r[h + 1]);
    t[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]);
    t[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
    for (int j = 0; j < 2; j++) {
      __m256d x = _mm256_castps_pd(t[h + j]), y = _mm256_castps_pd(t[h + j + 2]);
      _mm256_storeu_ps(to + (h + 2 * j) * to_row, _mm256_castpd_ps(_mm256_unpacklo_pd(x, y)));
      _mm256_storeu_ps(to + (h + 2 * j + 1) * to_row, _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
    }
  }
}
#endif
