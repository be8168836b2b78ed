// Sixteen floats as one value: the AVX-512 meaning of the names that the vector bodies (dot.h, tile.h, attention_vector.h …)
// are written in. A file includes this or lanes_avx2.h, never both.
#ifndef BACKPLANE_CPU_LANES_H
#define BACKPLANE_CPU_LANES_H
#include "decode.h"
#include "vector_math_avx512.h"

#define V_FN BP_FN512
#define V_NAME(name) name##_avx512
enum { LANES = 16, V_REGISTERS = 32 };
typedef __m512 vf;

V_FN vf v_zero(void) { return _mm512_setzero_ps(); }
V_FN vf v_set(float x) { return _mm512_set1_ps(x); }
V_FN vf v_load(const float *p) { return _mm512_loadu_ps(p); }
V_FN void v_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
V_FN vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
V_FN vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
V_FN vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
V_FN vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
V_FN vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); } // b when either is NaN
V_FN vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
V_FN float v_sum(vf x) { return _mm512_reduce_add_ps(x); }
V_FN vf v_exp(vf x) { return bp_exp_avx512(x); }
V_FN vf v_tanh(vf x) { return bp_tanh_avx512(x); }
V_FN vf v_erf(vf x) { return bp_erf_avx512(x); }
V_FN vf v_sigmoid(vf x) { return bp_sigmoid_avx512(x); }

// The sums of four vectors.
V_FN void v_store_sums(float *p, vf a, vf b, vf c, vf d) {
  vf ab = v_add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)), cd = v_add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  __m512d x = _mm512_castps_pd(ab), y = _mm512_castps_pd(cd);
  vf s = v_add(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
  _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)));
}

// The first n lanes (all of them when n >= LANES) of a float format; the others are 0 and are not read or written.
V_FN __mmask16 v_first(int64_t n) { return n >= 16 ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1); }
V_FN vf v_load_some(int code, const void *p, int64_t n) {
  if (code == BP_CODE_F32) return _mm512_maskz_loadu_ps(v_first(n), p);
  __m256i h = _mm256_maskz_loadu_epi16(v_first(n), p);
  return code == BP_CODE_F16 ? _mm512_cvtph_ps(h) : bp_bf16_to_f32_avx512(h);
}
V_FN void v_store_some(int code, void *p, int64_t n, vf x) {
  if (code == BP_CODE_F32) _mm512_mask_storeu_ps(p, v_first(n), x);
  else _mm256_mask_storeu_epi16(p, v_first(n), code == BP_CODE_F16 ? _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT) : bp_f32_to_bf16_avx512(x));
}
// LANES values of a float format.
V_FN vf v_load_as(int code, const void *p) {
  if (code == BP_CODE_F32) return _mm512_loadu_ps(p);
  __m256i h = _mm256_loadu_si256(p);
  return code == BP_CODE_F16 ? _mm512_cvtph_ps(h) : bp_bf16_to_f32_avx512(h);
}

// Transposes 16 rows of 16 floats, `from_row` floats apart, to rows that are `to_row` floats apart.
V_FN void v_transpose(const float *from, int64_t from_row, float *to, int64_t to_row) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(from + i * from_row);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      __m512d x = _mm512_castps_pd(t[i + j]), y = _mm512_castps_pd(t[i + j + 2]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
    }
  // Quarter l of r[4g + c] holds column 4l + c of rows 4g … 4g+3: what is left is a transpose of quarters.
  for (int c = 0; c < 4; c++) {
    __m512 lo = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88), hi = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd);
    __m512 lo2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88), hi2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
    _mm512_storeu_ps(to + c * to_row, _mm512_shuffle_f32x4(lo, lo2, 0x88));
    _mm512_storeu_ps(to + (4 + c) * to_row, _mm512_shuffle_f32x4(hi, hi2, 0x88));
    _mm512_storeu_ps(to + (8 + c) * to_row, _mm512_shuffle_f32x4(lo, lo2, 0xdd));
    _mm512_storeu_ps(to + (12 + c) * to_row, _mm512_shuffle_f32x4(hi, hi2, 0xdd));
  }
}
#endif
