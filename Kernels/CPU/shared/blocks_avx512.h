// Block formats in AVX-512 registers: 32 elements at a time, unscaled, with the scales beside them.
//
// `code` is a constant at every call, so that the switches fold. Formats of four bits are looked up: a permutation looks at
// the low four bits of a lane only, so that the low nibble needs no mask.
#ifndef BACKPLANE_CPU_BLOCKS_AVX512_H
#define BACKPLANE_CPU_BLOCKS_AVX512_H
#include "decode.h"
#if defined(__x86_64__)
#include "vector_math_avx512.h"

#define BP_IN512 static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2")))

static inline int bp_code_block(int code) { return code < BP_CODE_Q4_0 ? 1 : code < BP_CODE_Q4_K ? 32 : 256; }
static inline int bp_code_bytes(int code) {
  static const uint8_t bytes[] = {4, 2, 2, 18, 20, 22, 24, 34, 18, 17, 144, 176, 210};
  return bytes[code];
}
static inline int bp_code_has_minimum(int code) {
  return code == BP_CODE_Q4_1 || code == BP_CODE_Q5_1 || code == BP_CODE_Q4_K || code == BP_CODE_Q5_K;
}

BP_IN512 __m512 bp_table_avx512(int code) {
  __m512i bytes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  if (code == BP_CODE_Q4_0) bytes = _mm512_sub_epi32(bytes, _mm512_set1_epi32(8));
  if (code == BP_CODE_Q5_0) bytes = _mm512_sub_epi32(bytes, _mm512_set1_epi32(16));
  if (code == BP_CODE_IQ4_NL) bytes = _mm512_setr_epi32(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  if (code == BP_CODE_MXFP4) bytes = _mm512_setr_epi32(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  return _mm512_cvtepi32_ps(bytes);
}

BP_IN512 __m512i bp_bytes_avx512(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
BP_IN512 __m512 bp_half_avx512(const uint8_t *p) {
  int16_t h;
  memcpy(&h, p, 2);
  return _mm512_cvtph_ps(_mm256_set1_epi16(h));
}

// Unscaled elements 32 * unit … of a block; unit is 0 for formats of 32.
BP_IN512 void bp_unit_avx512(int code, const uint8_t *b, int unit, __m512 table, __m512 q[2]) {
  const __m512 sixteen = _mm512_set1_ps(16);
  switch (code) {
  case BP_CODE_Q4_0: case BP_CODE_Q4_1: case BP_CODE_IQ4_NL: case BP_CODE_MXFP4: {
    __m512i x = bp_bytes_avx512(b + (code == BP_CODE_Q4_1 ? 4 : code == BP_CODE_MXFP4 ? 1 : 2));
    q[0] = _mm512_permutexvar_ps(x, table);
    q[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(x, 4), table);
    return;
  }
  case BP_CODE_Q5_0: case BP_CODE_Q5_1: {
    const uint8_t *at = b + (code == BP_CODE_Q5_1 ? 4 : 2);
    uint32_t high;
    memcpy(&high, at, 4);
    __m512i x = bp_bytes_avx512(at + 4);
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
      __m512i x = bp_bytes_avx512(qs + 16 * i);
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
BP_IN512 __m512 bp_scale_avx512(int code, const uint8_t *b) {
  return code == BP_CODE_MXFP4 ? _mm512_set1_ps(bp_half_e8m0(b[0])) : bp_half_avx512(b);
}

// Scales of a block of 256: q6_K has sixteen; q4_K and q5_K have eight, then eight minima, negated.
BP_IN512 void bp_scales_avx512(int code, const uint8_t *b, float scales[16]) {
  if (code == BP_CODE_Q6_K) {
    __m512 s = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(b + 192))));
    _mm512_store_ps(scales, _mm512_mul_ps(s, bp_half_avx512(b + 208)));
    return;
  }
  uint32_t u[3];
  memcpy(u, b + 4, 12);
  uint32_t low = 0x3f3f3f3f, nibble = 0x0f0f0f0f, top = 0x03030303;
  __m128i bytes = _mm_setr_epi32((int)(u[0] & low), (int)((u[2] & nibble) | (u[0] >> 6 & top) << 4), (int)(u[1] & low),
                                 (int)((u[2] >> 4 & nibble) | (u[1] >> 6 & top) << 4));
  __m512 d = _mm512_mask_blend_ps(0xff00, bp_half_avx512(b), _mm512_xor_ps(bp_half_avx512(b + 2), _mm512_set1_ps(-0.0f)));
  _mm512_store_ps(scales, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), d));
}

// Sixteen floats of a float format; lanes outside the mask are 0 and not read.
BP_IN512 __m512 bp_load_avx512(int code, const void *p, __mmask16 mask) {
  if (code == BP_CODE_F32) return _mm512_maskz_loadu_ps(mask, p);
  __m256i h = _mm256_maskz_loadu_epi16(mask, p);
  return code == BP_CODE_F16 ? _mm512_cvtph_ps(h) : bp_bf16_to_f32_avx512(h);
}
BP_IN512 void bp_store_avx512(int code, void *p, __mmask16 mask, __m512 x) {
  if (code == BP_CODE_F32) _mm512_mask_storeu_ps(p, mask, x);
  else _mm256_mask_storeu_epi16(p, mask, code == BP_CODE_F16 ? _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT) : bp_f32_to_bf16_avx512(x));
}
BP_IN512 __mmask16 bp_first_avx512(int64_t n) { return n >= 16 ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1); }

BP_IN512 void bp_decode_code_avx512(int code, const uint8_t *src, float *dst, int64_t n) {
  if (code < BP_CODE_Q4_0) {
    for (int64_t i = 0; i < n; i += 16)
      bp_store_avx512(BP_CODE_F32, dst + i, bp_first_avx512(n - i), bp_load_avx512(code, src + i * bp_code_bytes(code), bp_first_avx512(n - i)));
    return;
  }
  __m512 table = bp_table_avx512(code), q[2];
  for (int64_t at = 0; at < n; at += bp_code_block(code), src += bp_code_bytes(code)) {
    if (code < BP_CODE_Q4_K) {
      __m512 d = bp_scale_avx512(code, src);
      bp_unit_avx512(code, src, 0, table, q);
      for (int i = 0; i < 2; i++)
        _mm512_storeu_ps(dst + at + 16 * i, bp_code_has_minimum(code) ? _mm512_fmadd_ps(q[i], d, bp_half_avx512(src + 2)) : _mm512_mul_ps(q[i], d));
      continue;
    }
    _Alignas(64) float scales[16];
    bp_scales_avx512(code, src, scales);
#pragma clang loop unroll(full)
    for (int u = 0; u < 8; u++) {
      bp_unit_avx512(code, src, u, table, q);
      for (int i = 0; i < 2; i++) {
        __m512 w = code == BP_CODE_Q6_K ? _mm512_mul_ps(q[i], _mm512_set1_ps(scales[2 * u + i]))
                                        : _mm512_fmadd_ps(q[i], _mm512_set1_ps(scales[u]), _mm512_set1_ps(scales[8 + u]));
        _mm512_storeu_ps(dst + at + 32 * u + 16 * i, w);
      }
    }
  }
}

// Decodes n elements, whole blocks, exactly as the scalar decoders do.
void bp_decode_avx512(bp_id format, const void *src, float *dst, int64_t n);
#endif
#endif
