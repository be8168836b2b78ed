// Block formats in AVX2 registers: 32 elements at a time, unscaled, with the scales beside them.
//
// Every unit becomes 32 signed bytes first, then floats. `code` is a constant at every call, so that the switches fold.
#ifndef BACKPLANE_CPU_BLOCKS_H
#define BACKPLANE_CPU_BLOCKS_H
#include "lanes_avx2.h"
#include "k_scales.h"

// What four bits mean.
typedef __m128i vtable;
V_FN vtable v_table(int code) {
  __m128i plain = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  switch (code) {
  case BP_CODE_Q4_0: return _mm_sub_epi8(plain, _mm_set1_epi8(8));
  case BP_CODE_IQ4_NL: return _mm_loadu_si128((const __m128i *)bp_iq4_nl_codebook);
  case BP_CODE_MXFP4: return _mm_loadu_si128((const __m128i *)bp_mxfp4_codebook);
  default: return plain;
  }
}

V_FN vf v_half(const uint8_t *p) {
  int16_t h;
  memcpy(&h, p, 2);
  return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

// Bit i of `bits` as 16 in byte i.
V_FN __m256i v_fifth_bits(uint32_t bits) {
  const __m256i pick = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i each = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  __m256i x = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), pick), each);
  return _mm256_and_si256(_mm256_cmpeq_epi8(x, each), _mm256_set1_epi8(16));
}

// Sixteen floats at 16 indices (of four bits each): eight, then eight.
V_FN void v_look_up(const float *table, __m128i x, vf q[2]) {
  vf low = v_load(table), high = v_load(table + 8);
  for (int i = 0; i < 2; i++, x = _mm_srli_si128(x, 8)) {
    __m256i at = _mm256_cvtepu8_epi32(x);
    q[i] = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, at), _mm256_permutevar8x32_ps(high, at), _mm256_castsi256_ps(_mm256_slli_epi32(at, 28)));
  }
}

// Unscaled elements 32 * unit … of a block; unit is 0 for formats of 32.
V_FN void v_unit(int code, const uint8_t *b, int unit, vtable table, vf q[4]) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i x;
  switch (code) {
  case BP_CODE_Q4_0: case BP_CODE_Q4_1: case BP_CODE_IQ4_NL: case BP_CODE_MXFP4: case BP_CODE_Q4_Z: case BP_CODE_NF4: case BP_CODE_Q5_0: case BP_CODE_Q5_1: {
    const uint8_t *at = b + bp_code_bytes(code) - 20; // of the fifth bits
    int fifth = code == BP_CODE_Q5_0 || code == BP_CODE_Q5_1;
    __m128i h = _mm_loadu_si128((const __m128i *)(b + bp_code_bytes(code) - 16));
    x = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(h), _mm_srli_epi16(h, 4), 1), nibble);
    if (code == BP_CODE_NF4) {
      v_look_up(bp_nf4_codebook, _mm256_castsi256_si128(x), q);
      v_look_up(bp_nf4_codebook, _mm256_extracti128_si256(x, 1), q + 2);
      return;
    }
    if (!fifth) {
      if (code != BP_CODE_Q4_1 && code != BP_CODE_Q4_Z) x = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), x);
      break;
    }
    uint32_t bits;
    memcpy(&bits, at, 4);
    x = _mm256_or_si256(x, v_fifth_bits(bits));
    if (code == BP_CODE_Q5_0) x = _mm256_sub_epi8(x, _mm256_set1_epi8(16));
    break;
  }
  case BP_CODE_Q8_0:
    x = _mm256_loadu_si256((const __m256i *)(b + 2));
    break;
  case BP_CODE_Q4_K: case BP_CODE_Q5_K: {
    x = _mm256_loadu_si256((const __m256i *)(b + (code == BP_CODE_Q5_K ? 48 : 16) + 32 * (unit / 2)));
    x = _mm256_and_si256(unit & 1 ? _mm256_srli_epi16(x, 4) : x, nibble);
    if (code != BP_CODE_Q5_K) break;
    __m256i bit = _mm256_set1_epi8((char)(1 << unit)), high = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(b + 16)), bit);
    x = _mm256_or_si256(x, _mm256_and_si256(_mm256_cmpeq_epi8(high, bit), _mm256_set1_epi8(16)));
    break;
  }
  default: { // q6_K
    int half = unit / 4, quarter = unit % 4;
    __m256i high = _mm256_loadu_si256((const __m256i *)(b + 128 + 32 * half));
    x = _mm256_loadu_si256((const __m256i *)(b + 64 * half + 32 * (quarter & 1)));
    x = _mm256_and_si256(quarter & 2 ? _mm256_srli_epi16(x, 4) : x, nibble);
    high = quarter < 2 ? _mm256_slli_epi16(high, 4 - 2 * quarter) : quarter == 3 ? _mm256_srli_epi16(high, 2) : high;
    x = _mm256_sub_epi8(_mm256_or_si256(x, _mm256_and_si256(high, _mm256_set1_epi8(48))), _mm256_set1_epi8(32));
  }
  }
  __m128i lo = _mm256_castsi256_si128(x), hi = _mm256_extracti128_si256(x, 1);
  q[0] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(lo));
  q[1] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(lo, 8)));
  q[2] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(hi));
  q[3] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(hi, 8)));
  if (code == BP_CODE_Q4_Z)
    for (int i = 0; i < 4; i++) q[i] = v_sub(q[i], v_set((float)bp_z_at(b)));
}

// Scale of a block of 32, in every lane.
V_FN vf v_scale(int code, const uint8_t *b) {
  return code == BP_CODE_MXFP4 ? v_set(bp_half_e8m0(b[0])) : bp_code_has_f32_scale(code) ? v_set(bp_f32_at(b)) : v_half(b);
}

// Scales of a block of 256: q6_K has sixteen; q4_K and q5_K have eight, then eight minima, negated.
V_FN void v_scales(int code, const uint8_t *b, float scales[16]) {
  if (code == BP_CODE_Q6_K) {
    __m128i s = _mm_loadu_si128((const __m128i *)(b + 192));
    _mm256_storeu_ps(scales, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(s)), v_half(b + 208)));
    _mm256_storeu_ps(scales + 8, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(s, 8))), v_half(b + 208)));
    return;
  }
  __m128i bytes = v_k_scales(b);
  _mm256_storeu_ps(scales, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)), v_half(b)));
  _mm256_storeu_ps(scales + 8, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))), _mm256_xor_ps(v_half(b + 2), v_set(-0.0f))));
}
#endif
