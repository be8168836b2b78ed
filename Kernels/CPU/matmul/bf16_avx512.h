// Pairs of bf16 numbers along k, AVX512-BF16: included in a file whose functions may use it, behind lanes_avx512.h.
#ifndef BACKPLANE_CPU_BF16_LANES_H
#define BACKPLANE_CPU_BF16_LANES_H
#define V_PAIRS 2
#undef V_FN // with the including file's instructions
#define V_FN static inline __attribute__((always_inline))

V_FN vf v_products(vf a, vf b, vf sum) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
// Each lane of both as a pair.
V_FN vf v_pair(vf first, vf second) {
  __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
// k floats as pairs, the last with 0 where k is odd; `to` may be `from`.
V_FN void v_round_pairs(const float *from, int64_t k, float *to) {
  for (int64_t x = 0; x < k; x += 2 * LANES) {
    vf a = v_load_some(BP_CODE_F32, from + x, k - x), b = v_load_some(BP_CODE_F32, from + x + LANES, k - x - LANES);
    v_store_some(BP_CODE_F32, to + x / 2, (k - x + 1) / 2, (vf)_mm512_cvtne2ps_pbh(b, a));
  }
}
#endif
