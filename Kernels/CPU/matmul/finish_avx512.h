// What follows the sums, sixteen columns at a time.
#ifndef BACKPLANE_CPU_FINISH_AVX512_H
#define BACKPLANE_CPU_FINISH_AVX512_H
#include "../shared/blocks_avx512.h"
#include "problem.h"
#if defined(__x86_64__)

BP_IN512 __m512 bp_activate_avx512(uint32_t activation, __m512 x) {
  switch (activation) {
  case BP_ACT_RELU: return _mm512_max_ps(_mm512_setzero_ps(), x); // the second operand comes through when it is NaN
  case BP_ACT_SILU: return _mm512_mul_ps(x, bp_sigmoid_avx512(x));
  case BP_ACT_GELU_TANH: {
    __m512 u = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_mul_ps(x, x), x), _mm512_set1_ps(0.044715f), x);
    return _mm512_mul_ps(x, bp_sigmoid_avx512(_mm512_mul_ps(u, _mm512_set1_ps(1.5957691216057308f))));
  }
  case BP_ACT_GELU_ERF: {
    __m512 half = _mm512_mul_ps(x, _mm512_set1_ps(0.5f));
    return _mm512_fmadd_ps(half, bp_erf_avx512(_mm512_mul_ps(x, _mm512_set1_ps(0.70710678118654752f))), half);
  }
  default: return x;
  }
}

// Finishes sums of row m, columns n … n + count (at most 16). `up` is the second factor of matmul_gated; plain says that y and
// residual have dense rows.
BP_IN512 void bp_finish_avx512(const bp_matmul *p, const bp_matmul_batch *at, int plain, int64_t m, int64_t n, int64_t count, __m512 sums, __m512 up) {
  __mmask16 mask = bp_first_avx512(count);
  if (!plain) {
    float x[16], u[16];
    _mm512_storeu_ps(x, sums);
    _mm512_storeu_ps(u, up);
    bp_matmul_finish(p, at, m, n, count, x, p->sources == 2 ? u : 0);
    return;
  }
  if (p->bias) sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(mask, (const float *)p->bias->data + n));
  sums = bp_activate_avx512(p->activation, sums);
  if (p->sources == 2) sums = _mm512_mul_ps(sums, up);
  if (p->residual) {
    const char *r = at->residual + m * p->r_row + n * p->r_step;
    int code = (int)bp_code_of(p->residual->dtype);
    sums = _mm512_add_ps(sums, code == BP_CODE_F32 ? bp_load_avx512(BP_CODE_F32, r, mask) : bp_load_avx512(code, r, mask));
  }
  int code = (int)bp_code_of(p->y.dtype);
  char *y = at->y + m * p->y_row + n * p->y_step;
  if (code == BP_CODE_F32) bp_store_avx512(BP_CODE_F32, y, mask, sums);
  else bp_store_avx512(code, y, mask, sums);
}

// 1 when rows of y and residual, and the bias, are dense.
static inline int bp_finish_is_plain(const bp_matmul *p) {
  return p->y_step == p->y.block_bytes && (!p->bias || p->bias->stride[0] == 4) && (!p->residual || p->r_step == p->residual->block_bytes);
}
#endif
#endif
