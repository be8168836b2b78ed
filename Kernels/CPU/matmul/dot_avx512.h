// Few rows of a: the weights stream through registers once, two output columns and up to four rows of a at a time.
#ifndef BACKPLANE_CPU_DOT_AVX512_H
#define BACKPLANE_CPU_DOT_AVX512_H
#include "../shared/blocks_avx512.h"
#if defined(__x86_64__)

enum { BP_DOT_ROWS = 4, BP_DOT_COLUMNS = 2 };

// sums[c][m] = a[m] . decode(w[c]) for `rows` rows of a, a_row floats apart, and two columns. k is whole blocks.
BP_IN512 void bp_dot_blocks_avx512(int code, int rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, float sums[2][BP_DOT_ROWS]) {
  const int block = bp_code_block(code), bytes = bp_code_bytes(code), minimum = bp_code_has_minimum(code);
  __m512 table = bp_table_avx512(code), acc[2][BP_DOT_ROWS], q[2];
  for (int c = 0; c < 2; c++)
    for (int m = 0; m < rows; m++) acc[c][m] = _mm512_setzero_ps();
  const uint8_t *b[2] = {w[0], w[1]};
  for (int64_t at = 0; at < k; at += block, b[0] += bytes, b[1] += bytes) {
    _Alignas(64) float scales[2][16];
    if (block == 256)
      for (int c = 0; c < 2; c++) bp_scales_avx512(code, b[c], scales[c]);
#pragma clang loop unroll(full)
    for (int u = 0; u < block / 32; u++)
      for (int c = 0; c < 2; c++) {
        bp_unit_avx512(code, b[c], u, table, q);
        __m512 scale = block == 256 ? _mm512_set1_ps(scales[c][code == BP_CODE_Q6_K ? 2 * u : u]) : bp_scale_avx512(code, b[c]);
        for (int m = 0; m < rows; m++) {
          const float *x = a + m * a_row + at + 32 * u;
          __m512 a0 = _mm512_loadu_ps(x), a1 = _mm512_loadu_ps(x + 16);
          if (code == BP_CODE_Q6_K) {
            acc[c][m] = _mm512_fmadd_ps(_mm512_mul_ps(q[0], a0), scale, acc[c][m]);
            acc[c][m] = _mm512_fmadd_ps(_mm512_mul_ps(q[1], a1), _mm512_set1_ps(scales[c][2 * u + 1]), acc[c][m]);
            continue;
          }
          acc[c][m] = _mm512_fmadd_ps(_mm512_fmadd_ps(q[1], a1, _mm512_mul_ps(q[0], a0)), scale, acc[c][m]);
          if (!minimum) continue;
          __m512 least = block == 256 ? _mm512_set1_ps(scales[c][8 + u]) : bp_half_avx512(b[c] + 2);
          acc[c][m] = _mm512_fmadd_ps(_mm512_add_ps(a0, a1), least, acc[c][m]);
        }
      }
  }
  for (int c = 0; c < 2; c++)
    for (int m = 0; m < rows; m++) sums[c][m] = _mm512_reduce_add_ps(acc[c][m]);
}

// The same for weights that are floats; any k.
BP_IN512 void bp_dot_floats_avx512(int code, int rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, float sums[2][BP_DOT_ROWS]) {
  const int bytes = bp_code_bytes(code);
  __m512 acc[2][2][BP_DOT_ROWS];
  for (int i = 0; i < 2; i++)
    for (int m = 0; m < rows; m++) acc[0][i][m] = acc[1][i][m] = _mm512_setzero_ps();
  int64_t at = 0;
  for (; at + 32 <= k; at += 32)
    for (int c = 0; c < 2; c++)
      for (int i = 0; i < 2; i++) {
        __m512 q = bp_load_avx512(code, w[c] + (at + 16 * i) * bytes, 0xffff);
        for (int m = 0; m < rows; m++) acc[c][i][m] = _mm512_fmadd_ps(q, _mm512_loadu_ps(a + m * a_row + at + 16 * i), acc[c][i][m]);
      }
  for (; at < k; at += 16) {
    __mmask16 mask = bp_first_avx512(k - at);
    for (int c = 0; c < 2; c++) {
      __m512 q = bp_load_avx512(code, w[c] + at * bytes, mask);
      for (int m = 0; m < rows; m++) acc[c][0][m] = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, a + m * a_row + at), acc[c][0][m]);
    }
  }
  for (int c = 0; c < 2; c++)
    for (int m = 0; m < rows; m++) sums[c][m] = _mm512_reduce_add_ps(_mm512_add_ps(acc[c][0][m], acc[c][1][m]));
}

BP_IN512 void bp_dot_code_avx512(int code, int rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, float sums[2][BP_DOT_ROWS]) {
  switch (rows) {
#define CASE(n) case n: if (code < BP_CODE_Q4_0) bp_dot_floats_avx512(code, n, w, a, a_row, k, sums); \
                        else bp_dot_blocks_avx512(code, n, w, a, a_row, k, sums); return;
  CASE(1) CASE(2) CASE(3) CASE(4)
#undef CASE
  }
}
#endif
#endif
