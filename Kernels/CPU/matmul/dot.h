// Few rows of a: the weights stream from memory once, through registers, two output columns and up to four rows of a at a time.
#ifndef BACKPLANE_CPU_DOT_H
#define BACKPLANE_CPU_DOT_H

enum {
  DOT_ROWS = 4, // in registers
  DOT_MOST = 8, // up to here decoding the weights again for the next rows is cheaper than a panel
  // Bytes that weights are fetched ahead. A block is no multiple of a cache line and two rows are read at once, which the
  // hardware's prefetcher does not follow: 6.7 GB/s from DRAM without, 35 GB/s with (q8_0, k = 640, one core of a Zen 5).
  DOT_AHEAD = 12288,
};
typedef float dot_sums[2][DOT_ROWS];

// sums[c][m] = a[m] . decode(w[c]) for `rows` rows of a, a_row floats apart, and two columns. k is whole blocks.
//
// With one row the scale is applied to the sum of a block, with more to the weights: whichever is fewer instructions.
V_FN void dot_blocks(int code, int rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, dot_sums sums) {
  const int block = bp_code_block(code), bytes = bp_code_bytes(code), minimum = bp_code_has_minimum(code), vectors = 32 / LANES;
  const int scale_weights = rows > 1 || minimum || code == BP_CODE_Q6_K;
  vtable table = v_table(code);
  vf acc[2][DOT_ROWS][2], q[32 / LANES];
  for (int c = 0; c < 2; c++)
    for (int m = 0; m < rows; m++) acc[c][m][0] = acc[c][m][1] = v_zero();
  const uint8_t *b[2] = {w[0], w[1]};
  for (int64_t at = 0; at < k; at += block, b[0] += bytes, b[1] += bytes) {
    float scales[2][16];
    for (int c = 0; c < 2; c++) {
      for (int i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)b[c] + DOT_AHEAD + i);
      if (block == 256) v_scales(code, b[c], scales[c]);
    }
#pragma clang loop unroll(full)
    for (int u = 0; u < block / 32; u++)
      for (int c = 0; c < 2; c++) {
        const float *x = a + at + 32 * u;
        v_unit(code, b[c], u, table, q);
        if (!scale_weights) {
          vf sum = v_mul(q[0], v_load(x));
          for (int i = 1; i < vectors; i++) sum = v_fma(q[i], v_load(x + LANES * i), sum);
          acc[c][0][0] = v_fma(sum, v_scale(code, b[c]), acc[c][0][0]);
          continue;
        }
        vf scale = block == 32 ? v_scale(code, b[c]) : v_set(scales[c][code == BP_CODE_Q6_K ? 2 * u : u]);
        vf least = !minimum ? v_zero() : block == 32 ? v_half(b[c] + 2) : v_set(scales[c][8 + u]);
        for (int i = 0; i < vectors; i++) {
          if (code == BP_CODE_Q6_K && i == vectors / 2) scale = v_set(scales[c][2 * u + 1]);
          q[i] = minimum ? v_fma(q[i], scale, least) : v_mul(q[i], scale);
        }
        for (int m = 0; m < rows; m++)
          for (int i = 0; i < vectors; i++) { // two sums a row only where there are few of them: they hide the latency
            vf *sum = &acc[c][m][rows > 2 ? 0 : i & 1];
            *sum = v_fma(q[i], v_load(x + m * a_row + LANES * i), *sum);
          }
      }
  }
  for (int c = 0; c < 2; c++)
    for (int m = 0; m < rows; m++) sums[c][m] = v_sum(v_add(acc[c][m][0], acc[c][m][1]));
}

// The same for weights that are floats; any k.
V_FN void dot_floats(int code, int rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, dot_sums sums) {
  const int bytes = bp_code_bytes(code);
  vf acc[2][2][DOT_ROWS];
  for (int i = 0; i < 2; i++)
    for (int m = 0; m < rows; m++) acc[0][i][m] = acc[1][i][m] = v_zero();
  int64_t at = 0;
  for (; at + 2 * LANES <= k; at += 2 * LANES)
    for (int c = 0; c < 2; c++)
      for (int i = 0; i < 2; i++) {
        const uint8_t *from = w[c] + (at + LANES * i) * bytes;
        if (LANES * i * bytes % 64 == 0) __builtin_prefetch((const char *)from + DOT_AHEAD);
        vf q = v_load_as(code, from);
        for (int m = 0; m < rows; m++) acc[c][i][m] = v_fma(q, v_load(a + m * a_row + at + LANES * i), acc[c][i][m]);
      }
  for (; at < k; at += LANES)
    for (int c = 0; c < 2; c++) {
      vf q = v_load_some(code, w[c] + at * bytes, k - at);
      for (int m = 0; m < rows; m++) acc[c][0][m] = v_fma(q, v_load_some(BP_CODE_F32, a + m * a_row + at, k - at), acc[c][0][m]);
    }
  for (int c = 0; c < 2; c++)
    for (int m = 0; m < rows; m++) sums[c][m] = v_sum(v_add(acc[c][0][m], acc[c][1][m]));
}

V_FN void dot_code(int code, int rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, dot_sums sums) {
  switch (rows) {
#define CASE(n) case n: if (code < BP_CODE_Q4_0) dot_floats(code, n, w, a, a_row, k, sums); else dot_blocks(code, n, w, a, a_row, k, sums); return;
  CASE(1) CASE(2) CASE(3) CASE(4)
#undef CASE
  }
}

static void dot_columns(int code, int64_t rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, dot_sums sums) {
  switch (code) {
#define CASE(x) case x: dot_code(x, (int)rows, w, a, a_row, k, sums); return;
  CASE(BP_CODE_F32) CASE(BP_CODE_F16) CASE(BP_CODE_BF16) CASE(BP_CODE_Q4_0) CASE(BP_CODE_Q4_1) CASE(BP_CODE_Q5_0) CASE(BP_CODE_Q5_1)
  CASE(BP_CODE_Q8_0) CASE(BP_CODE_IQ4_NL) CASE(BP_CODE_MXFP4) CASE(BP_CODE_Q4_Z) CASE(BP_CODE_NF4) CASE(BP_CODE_Q4_K) CASE(BP_CODE_Q5_K) CASE(BP_CODE_Q6_K)
#undef CASE
  }
}
#endif
