// Pairs of bf16 numbers along k (bf16_avx512.h), AVX2: for the model of the tiles.
#ifndef BACKPLANE_CPU_BF16_LANES_H
#define BACKPLANE_CPU_BF16_LANES_H
#define V_PAIRS 2

V_FN vf v_pair(vf first, vf second) {
  __m256i low = _mm256_cvtepu16_epi32(bp_f32_to_bf16_avx2(first)), high = _mm256_cvtepu16_epi32(bp_f32_to_bf16_avx2(second));
  return _mm256_castsi256_ps(_mm256_or_si256(low, _mm256_slli_epi32(high, 16)));
}
V_FN void v_round_pairs(const float *from, int64_t k, float *to) {
  for (int64_t x = 0; x < k; x += LANES) {
    _Alignas(16) char pairs[16];
    int64_t n = k - x < LANES ? k - x : LANES;
    _mm_store_si128((__m128i *)pairs, bp_f32_to_bf16_avx2(v_load_some(BP_CODE_F32, from + x, n)));
    memcpy(to + x / 2, pairs, (size_t)(n + 1) / 2 * 4);
  }
}
#endif
