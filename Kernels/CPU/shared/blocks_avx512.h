// Block formats in AVX-512 registers: 32 elements at a time, unscaled, with the scales beside them.
//
// `code` is a constant at every call, so that the switches fold. Formats of four bits are looked up: a permutation looks at
// the low four bits of a lane only, so that the low nibble needs no mask.
#ifndef BACKPLANE_CPU_BLOCKS_H
#define BACKPLANE_CPU_BLOCKS_H
#include "lanes_avx512.h"
#include "k_scales.h"

typedef __m512 vtable;
V_FN vtable v_table(int code) {
  __m512i bytes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  if (code == BP_CODE_Q4_0) bytes = _mm512_sub_epi32(bytes, _mm512_set1_epi32(8));
  if (code == BP_CODE_Q5_0) bytes = _mm512_sub_epi32(bytes, _mm512_set1_epi32(16));
  if (code == BP_CODE_IQ4_NL) bytes = _mm512_setr_epi32(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  if (code == BP_CODE_MXFP4) bytes = _mm512_setr_epi32(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  return code == BP_CODE_NF4 ? _mm512_loadu_ps(bp_nf4_codebook) : _mm512_cvtepi32_ps(bytes);
}

V_FN __m512i v_bytes(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
V_FN vf v_half(const uint8_t *p) {
  int16_t h;
  memcpy(&h, p, 2);
  return _mm512_cvtph_ps(_mm256_set1_epi16(h));
}

// Unscaled elements 32 * unit … of a block; unit is 0 for formats of 32.
V_FN void v_unit(int code, const uint8_t *b, int unit, vtable table, vf q[2]) {
  const __m512 sixteen = _mm512_set1_ps(16);
  switch (code) {
  case BP_CODE_Q4_0: case BP_CODE_Q4_1: case BP_CODE_IQ4_NL: case BP_CODE_MXFP4: case BP_CODE_Q4_Z: case BP_CODE_NF4: {
    __m512i x = v_bytes(b + bp_code_bytes(code) - 16);
    q[0] = _mm512_permutexvar_ps(x, table);
    q[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(x, 4), table);
    if (code == BP_CODE_Q4_Z) {
      vf zero = v_set((float)bp_z_at(b));
      q[0] = v_sub(q[0], zero), q[1] = v_sub(q[1], zero);
    }
    return;
  }
  case BP_CODE_Q5_0: case BP_CODE_Q5_1: {
    const uint8_t *at = b + (code == BP_CODE_Q5_1 ? 4 : 2);
    uint32_t high;
    memcpy(&high, at, 4);
    __m512i x = v_bytes(at + 4);
    q[0] = _mm512_permutexvar_ps(x, table);
    q[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(x, 4), table);
    q[0] = _mm512_mask_add_ps(q[0], (__mmask16)high, q[0], sixteen);
    q[1] = _mm512_mask_add_ps(q[1], (__mmask16)(high >> 16), q[1], sixteen);
    return;
  }
  case BP_CODE_Q8_0:
    for (int i = 0; i < 2; i++) q[i] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(b + 2 + 16 * i))));
    return;
  case BP_CODE_Q4_K: case BP_CODE_Q5_K: {
    const uint8_t *qs = b + (code == BP_CODE_Q5_K ? 48 : 16) + 32 * (unit / 2);
    for (int i = 0; i < 2; i++) {
      __m512i x = v_bytes(qs + 16 * i);
      q[i] = _mm512_permutexvar_ps(unit & 1 ? _mm512_srli_epi32(x, 4) : x, table);
      if (code != BP_CODE_Q5_K) continue;
      __mmask16 high = _mm_test_epi8_mask(_mm_loadu_si128((const __m128i *)(b + 16 + 16 * i)), _mm_set1_epi8((char)(1 << unit)));
      q[i] = _mm512_mask_add_ps(q[i], high, q[i], sixteen);
    }
    return;
  }
  case BP_CODE_Q6_K: {
    int half = unit / 4, quarter = unit % 4;
    __m256i low = _mm256_loadu_si256((const __m256i *)(b + 64 * half + 32 * (quarter & 1)));
    __m256i high = _mm256_loadu_si256((const __m256i *)(b + 128 + 32 * half));
    low = _mm256_and_si256(quarter & 2 ? _mm256_srli_epi16(low, 4) : low, _mm256_set1_epi8(15));
    high = quarter < 2 ? _mm256_slli_epi16(high, 4 - 2 * quarter) : quarter == 3 ? _mm256_srli_epi16(high, 2) : high;
    low = _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(48)));
    low = _mm256_sub_epi8(low, _mm256_set1_epi8(32));
    q[0] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(low)));
    q[1] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(low, 1)));
    return;
  }
  }
}

// Scale of a block of 32, in every lane.
V_FN vf v_scale(int code, const uint8_t *b) {
  return code == BP_CODE_MXFP4 ? v_set(bp_half_e8m0(b[0])) : bp_code_has_f32_scale(code) ? v_set(bp_f32_at(b)) : v_half(b);
}

// Scales of a block of 256: q6_K has sixteen; q4_K and q5_K have eight, then eight minima, negated.
V_FN void v_scales(int code, const uint8_t *b, float scales[16]) {
  if (code == BP_CODE_Q6_K) {
    __m512 s = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(b + 192))));
    _mm512_storeu_ps(scales, _mm512_mul_ps(s, v_half(b + 208)));
    return;
  }
  int16_t d, least;
  memcpy(&d, b, 2);
  memcpy(&least, b + 2, 2);
  __m256i halves = _mm256_mask_blend_epi16(0xff00, _mm256_set1_epi16(d), _mm256_set1_epi16((int16_t)(least ^ 0x8000)));
  _mm512_storeu_ps(scales, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(v_k_scales(b))), _mm512_cvtph_ps(halves)));
}

#endif
