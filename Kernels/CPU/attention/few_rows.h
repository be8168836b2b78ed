// Scores and weighted sums for a few query rows that share keys and values: K and V are read once, as they are stored.
#ifndef BACKPLANE_CPU_ATTENTION_FEW_ROWS_H
#define BACKPLANE_CPU_ATTENTION_FEW_ROWS_H

enum { FEW = V_REGISTERS == 32 ? 4 : 2, KEYS_AHEAD = 16 };

// s[r][j] = q[r] . k[j] for `rows` (at most FEW) rows and n keys; up to three more scores are written per row.
V_FN void score_few(int code, int rows, const char *k, int64_t k_row, int64_t n, const float *q, int64_t q_row, int64_t d, float *s, int64_t s_row) {
  const int bytes = bp_code_bytes(code);
  for (int64_t j = 0; j < n; j += 4) {
    const char *from[4];
    for (int i = 0; i < 4; i++) from[i] = k + (j + i < n ? j + i : n - 1) * k_row;
    vf acc[4][FEW];
    for (int i = 0; i < 4; i++)
      for (int r = 0; r < rows; r++) acc[i][r] = v_zero();
    int64_t x = 0;
    for (; x + LANES <= d; x += LANES)
      for (int i = 0; i < 4; i++) {
        __builtin_prefetch(from[i] + x * bytes + KEYS_AHEAD * k_row);
        vf key = v_load_as(code, from[i] + x * bytes);
        for (int r = 0; r < rows; r++) acc[i][r] = v_fma(key, v_load(q + r * q_row + x), acc[i][r]);
      }
    if (x < d)
      for (int i = 0; i < 4; i++) {
        vf key = v_load_some(code, from[i] + x * bytes, d - x);
        for (int r = 0; r < rows; r++) acc[i][r] = v_fma(key, v_load_some(BP_CODE_F32, q + r * q_row + x, d - x), acc[i][r]);
      }
    for (int r = 0; r < rows; r++) v_store_sums(s + r * s_row + j, acc[0][r], acc[1][r], acc[2][r], acc[3][r]);
  }
}

// o[r] += sum over n keys of p[r][j] * v[j] for `rows` (at most FEW) rows; o has room for whole vectors.
V_FN void weigh_few(int code, int rows, const char *v, int64_t v_row, int64_t n, const float *p, int64_t p_row, int64_t e, float *o, int64_t o_row) {
  const int bytes = bp_code_bytes(code);
  int64_t x = 0;
  for (; x + 4 * LANES <= e; x += 4 * LANES) {
    vf acc[FEW][4];
    for (int r = 0; r < rows; r++)
      for (int i = 0; i < 4; i++) acc[r][i] = v_load(o + r * o_row + x + LANES * i);
    for (int64_t j = 0; j < n; j++)
      for (int i = 0; i < 4; i++) {
        const char *from = v + j * v_row + (x + LANES * i) * bytes;
        __builtin_prefetch(from + KEYS_AHEAD * v_row);
        vf value = v_load_as(code, from);
        for (int r = 0; r < rows; r++) acc[r][i] = v_fma(v_set(p[r * p_row + j]), value, acc[r][i]);
      }
    for (int r = 0; r < rows; r++)
      for (int i = 0; i < 4; i++) v_store(o + r * o_row + x + LANES * i, acc[r][i]);
  }
  for (; x < e; x += LANES) {
    vf acc[FEW];
    for (int r = 0; r < rows; r++) acc[r] = v_load(o + r * o_row + x);
    for (int64_t j = 0; j < n; j++) {
      vf value = v_load_some(code, v + j * v_row + x * bytes, e - x);
      for (int r = 0; r < rows; r++) acc[r] = v_fma(v_set(p[r * p_row + j]), value, acc[r]);
    }
    for (int r = 0; r < rows; r++) v_store(o + r * o_row + x, acc[r]);
  }
}

#define FEW_CASES(fn, code, ...) \
  switch (rows) { \
  case 1: fn(code, 1, __VA_ARGS__); break; \
  case 2: fn(code, 2, __VA_ARGS__); break; \
  case 3: fn(code, FEW > 2 ? 3 : 2, __VA_ARGS__); break; \
  default: fn(code, FEW > 2 ? 4 : 2, __VA_ARGS__); \
  }
static void score_part(int code, int64_t rows, const char *k, int64_t k_row, int64_t n, const float *q, int64_t q_row, int64_t d, float *s, int64_t s_row) {
  if (code == BP_CODE_F16) FEW_CASES(score_few, BP_CODE_F16, k, k_row, n, q, q_row, d, s, s_row)
  else if (code == BP_CODE_BF16) FEW_CASES(score_few, BP_CODE_BF16, k, k_row, n, q, q_row, d, s, s_row)
  else FEW_CASES(score_few, BP_CODE_F32, k, k_row, n, q, q_row, d, s, s_row)
}
static void weigh_part(int code, int64_t rows, const char *v, int64_t v_row, int64_t n, const float *p, int64_t p_row, int64_t e, float *o, int64_t o_row) {
  if (code == BP_CODE_F16) FEW_CASES(weigh_few, BP_CODE_F16, v, v_row, n, p, p_row, e, o, o_row)
  else if (code == BP_CODE_BF16) FEW_CASES(weigh_few, BP_CODE_BF16, v, v_row, n, p, p_row, e, o, o_row)
  else FEW_CASES(weigh_few, BP_CODE_F32, v, v_row, n, p, p_row, e, o, o_row)
}
#undef FEW_CASES
#endif
