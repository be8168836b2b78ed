// Many rows of a: panels of 32 output columns, decoded and transposed once, against strips of up to 12 rows.
//
// A strip holds its rows next to each other for every k: [k][12]. A panel holds 32 weights for every k: [k][32]; for
// matmul_gated 16 of gate and 16 of up, so that both sums of an element meet in one tile.
#ifndef BACKPLANE_CPU_TILE_AVX512_H
#define BACKPLANE_CPU_TILE_AVX512_H
#include "../shared/blocks_avx512.h"
#if defined(__x86_64__)

enum { BP_STRIP = 12, BP_PANEL = 32 };

// `rows` rows of k floats, row bytes apart, to [k][12].
BP_IN512 void bp_pack_strip_avx512(const float *a, int64_t a_row, int rows, int64_t k, float *to) {
  for (int r = 0; r < rows; r += 4) {
    const float *p[4];
    for (int i = 0; i < 4; i++) p[i] = a + (r + i < rows ? r + i : rows - 1) * a_row;
    int64_t x = 0;
    for (; x + 4 <= k; x += 4) {
      __m128 v0 = _mm_loadu_ps(p[0] + x), v1 = _mm_loadu_ps(p[1] + x), v2 = _mm_loadu_ps(p[2] + x), v3 = _mm_loadu_ps(p[3] + x);
      _MM_TRANSPOSE4_PS(v0, v1, v2, v3);
      float *at = to + x * BP_STRIP + r;
      _mm_storeu_ps(at, v0);
      _mm_storeu_ps(at + BP_STRIP, v1);
      _mm_storeu_ps(at + 2 * BP_STRIP, v2);
      _mm_storeu_ps(at + 3 * BP_STRIP, v3);
    }
    for (; x < k; x++)
      for (int i = 0; i < 4; i++) to[x * BP_STRIP + r + i] = p[i][x];
  }
}

// Transposes 16 rows of 16 floats, `from_row` floats apart, to rows that are BP_PANEL floats apart.
BP_IN512 void bp_transpose16_avx512(const float *from, int64_t from_row, float *to) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(from + i * from_row);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      __m512d x = _mm512_castps_pd(t[i + j]), y = _mm512_castps_pd(t[i + j + 2]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
    }
  // r[4g + c] lane l holds column 4l + c of rows 4g … 4g+3: lanes are now transposed as 4 x 4 blocks.
  for (int c = 0; c < 4; c++) {
    __m512 lo = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88), hi = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd);
    __m512 lo2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88), hi2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
    _mm512_storeu_ps(to + c * BP_PANEL, _mm512_shuffle_f32x4(lo, lo2, 0x88));
    _mm512_storeu_ps(to + (4 + c) * BP_PANEL, _mm512_shuffle_f32x4(hi, hi2, 0x88));
    _mm512_storeu_ps(to + (8 + c) * BP_PANEL, _mm512_shuffle_f32x4(lo, lo2, 0xdd));
    _mm512_storeu_ps(to + (12 + c) * BP_PANEL, _mm512_shuffle_f32x4(hi, hi2, 0xdd));
  }
}

// acc = strip * panel over k; two vectors of 16 columns for each of `rows` rows.
BP_IN512 void bp_tile_rows_avx512(int rows, const float *strip, const float *panel, int64_t k, float *to) {
  __m512 acc[BP_STRIP][2];
  for (int m = 0; m < rows; m++) acc[m][0] = acc[m][1] = _mm512_setzero_ps();
  for (int64_t x = 0; x < k; x++, strip += BP_STRIP, panel += BP_PANEL) {
    __m512 b0 = _mm512_load_ps(panel), b1 = _mm512_load_ps(panel + 16);
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; m++) {
      __m512 a = _mm512_set1_ps(strip[m]);
      acc[m][0] = _mm512_fmadd_ps(a, b0, acc[m][0]);
      acc[m][1] = _mm512_fmadd_ps(a, b1, acc[m][1]);
    }
  }
  for (int m = 0; m < rows; m++) {
    _mm512_store_ps(to + m * BP_PANEL, acc[m][0]);
    _mm512_store_ps(to + m * BP_PANEL + 16, acc[m][1]);
  }
}
#endif
#endif
