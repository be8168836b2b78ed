// Scales of one step of a format (i8_format.h) as floats, natural order: up to 16, then as many minima, negated, from scales[16] on.
// x86, any level from AVX2.
#ifndef BACKPLANE_CPU_I8_SCALES_H
#define BACKPLANE_CPU_I8_SCALES_H
#include "../shared/k_scales.h"
#include "i8_format.h"

I8_FN float i8_half(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  return _cvtsh_ss(h);
}
// Sixteen bytes as floats, times a factor.
I8_FN void i8_scaled_bytes(__m128i x, float factor, float *to) {
  for (int i = 0; i < 2; i++, x = _mm_unpackhi_epi64(x, x))
    _mm256_storeu_ps(to + 8 * i, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)), _mm256_set1_ps(factor)));
}
// The sixteen scales of q3_K.
I8_FN __m128i i8_q3_scales(const uint8_t *b) {
  __m128i x = _mm_loadu_si128((const __m128i *)(b + 94)); // the load ends with the block: scales are bytes 2 … 13 of it
  __m128i low = _mm_shuffle_epi8(x, _mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9));
  low = _mm_and_si128(_mm_blend_epi32(low, _mm_srli_epi16(low, 4), 12), _mm_set1_epi8(15));
  __m128i high = _mm_srlv_epi32(_mm_shuffle_epi8(x, _mm_set1_epi32(0x0d0c0b0a)), _mm_setr_epi32(0, 2, 4, 6));
  high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
  return _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32));
}
// The four bytes that begin each of four blocks.
I8_FN __m128i i8_heads(int code, const uint8_t *b) {
  int32_t head[4];
  for (int i = 0; i < 4; i++) memcpy(&head[i], b + i * i8_block_bytes(code), 4);
  return _mm_insert_epi32(_mm_insert_epi32(_mm_insert_epi32(_mm_cvtsi32_si128(head[0]), head[1], 1), head[2], 2), head[3], 3);
}

I8_FN void i8_scales(int code, const uint8_t *b, float scales[32]) {
  const __m128i nibble = _mm_set1_epi8(15);
  switch (code) {
  case I8_MXFP4: { // 2^(e - 128)
    __m128i e = _mm_and_si128(i8_heads(code, b), _mm_set1_epi32(255));
    __m128i small = _mm_sllv_epi32(_mm_set1_epi32(0x00200000), e), normal = _mm_slli_epi32(_mm_sub_epi32(e, _mm_set1_epi32(1)), 23);
    _mm_storeu_ps(scales, _mm_castsi128_ps(_mm_blendv_epi8(normal, small, _mm_cmplt_epi32(e, _mm_set1_epi32(2)))));
    if (_mm_movemask_epi8(_mm_cmpgt_epi32(e, _mm_set1_epi32(252)))) i8_overflow(b, scales);
    return;
  }
  case I8_Q4_Z:
    for (int i = 0; i < 4; i++, b += 22) scales[i] = bp_f32_at(b), scales[16 + i] = (float)-bp_z_at(b) * scales[i];
    return;
  case I8_Q2_K: {
    __m128i x = _mm_loadu_si128((const __m128i *)b);
    i8_scaled_bytes(_mm_and_si128(x, nibble), i8_half(b + 80), scales);
    i8_scaled_bytes(_mm_and_si128(_mm_srli_epi16(x, 4), nibble), -i8_half(b + 82), scales + 16);
    return;
  }
  case I8_Q3_K: i8_scaled_bytes(i8_q3_scales(b), i8_half(b + 108), scales); return;
  case I8_Q4_K: case I8_Q5_K: {
    __m128i x = v_k_scales(b);
    _mm256_storeu_ps(scales, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(x)), _mm256_set1_ps(i8_half(b))));
    _mm256_storeu_ps(scales + 16, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(x, 8))), _mm256_set1_ps(-i8_half(b + 2))));
    return;
  }
  case I8_Q6_K: i8_scaled_bytes(_mm_loadu_si128((const __m128i *)(b + 192)), i8_half(b + 208), scales); return;
  case I8_TQ2_0: _mm256_storeu_ps(scales, _mm256_set1_ps(i8_half(b + 64))); return;
  default: {
    __m128i heads = i8_heads(code, b);
    _mm_storeu_ps(scales, _mm_cvtph_ps(_mm_shuffle_epi8(heads, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1))));
    if (i8_has_minimum(code)) // d, then m, which is added: no negation here
      _mm_storeu_ps(scales + 16, _mm_cvtph_ps(_mm_shuffle_epi8(heads, _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1))));
  }
  }
}
#endif
