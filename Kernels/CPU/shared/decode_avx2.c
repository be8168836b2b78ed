// Decoding of rows with AVX2.
#if defined(__x86_64__)
#include "blocks_avx2.h"
#include "../matmul/i8_format.h"
#define I8_VNNI 0
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "../matmul/i8_avx2.h"

// Formats that have no unpacker to floats, by way of whole numbers. Their products with a scale are exact, a minimum rounds once.
V_FN void decode_whole(int code, const uint8_t *b, float *to, int64_t n) {
  const __m256 zero = v_set((float)i8_zero_of(code));
  for (; n > 0; n -= i8_step(code), b += i8_step_bytes(code)) {
    float scales[32];
    i8_scales(code, b, scales);
    for (int part = 0, at = 0; part < 2; part++) {
      uint8_t bytes[I8_GROUP];
      vi q[I8_REGISTERS];
      i8_codes(code, b, part, q);
      for (int r = 0; r < I8_REGISTERS; r++) _mm256_storeu_si256((vi *)bytes + r, q[r]);
      for (int i = 0; i < I8_GROUP; i += LANES, at += LANES, to += LANES) {
        vf x = v_sub(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(bytes + i)))), zero), scale = v_set(scales[at / i8_sub(code)]);
        v_store(to, i8_has_minimum(code) ? v_fma(x, scale, v_set(scales[16 + at / i8_sub(code)])) : v_mul(x, scale));
      }
    }
  }
}
static void decode_rest(bp_id format, const void *src, float *dst, int64_t n) {
  switch (format) {
  case BP_FORMAT_Q2_K: decode_whole(I8_Q2_K, src, dst, n); return;
  case BP_FORMAT_Q3_K: decode_whole(I8_Q3_K, src, dst, n); return;
  case BP_FORMAT_TQ2_0: decode_whole(I8_TQ2_0, src, dst, n); return;
  default: bp_cpu_decode_row(format, src, dst, n);
  }
}
#include "decode_vector.h"
#pragma clang attribute pop
#endif
