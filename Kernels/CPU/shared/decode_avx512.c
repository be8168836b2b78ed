// Decoding of rows with AVX-512.
#include "blocks_avx512.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)

void bp_decode_avx512(bp_id format, const void *src, float *dst, int64_t n) {
  switch (bp_code_of(format)) {
#define CASE(code) case code: bp_decode_code_avx512(code, src, dst, n); return;
  CASE(BP_CODE_F32) CASE(BP_CODE_F16) CASE(BP_CODE_BF16) CASE(BP_CODE_Q4_0) CASE(BP_CODE_Q4_1) CASE(BP_CODE_Q5_0) CASE(BP_CODE_Q5_1)
  CASE(BP_CODE_Q8_0) CASE(BP_CODE_IQ4_NL) CASE(BP_CODE_MXFP4) CASE(BP_CODE_Q4_K) CASE(BP_CODE_Q5_K) CASE(BP_CODE_Q6_K)
#undef CASE
  case BP_CODE_REST: bp_cpu_decode_row(format, src, dst, n); return;
  }
}
#pragma clang attribute pop
#endif
