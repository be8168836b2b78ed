// The scales of q4_K and q5_K, unpacked in one register; included by blocks_*.h.
#ifndef BACKPLANE_CPU_K_SCALES_H
#define BACKPLANE_CPU_K_SCALES_H

// Eight scales, then eight minima, of a block that begins with d, dmin and twelve bytes of scales.
V_FN __m128i v_k_scales(const uint8_t *b) {
  __m128i x = _mm_loadu_si128((const __m128i *)b);
  __m128i low = _mm_shuffle_epi8(x, _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  __m128i high = _mm_shuffle_epi8(x, _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11));
  __m128i six = _mm_and_si128(low, _mm_setr_epi32(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0));
  __m128i upper = _mm_and_si128(_mm_srli_epi16(low, 4), _mm_setr_epi32(0, 0, 0, 0x0f0f0f0f));
  return _mm_or_si128(_mm_or_si128(six, upper), _mm_and_si128(_mm_srli_epi16(high, 2), _mm_set1_epi8(0x30)));
}
#endif
