// Scores and weighted sums for a few query rows that share keys and values: K and V are read once, as they are stored.
#ifndef BACKPLANE_CPU_ATTENTION_FEW_ROWS_H
#define BACKPLANE_CPU_ATTENTION_FEW_ROWS_H

enum { FEW = V_REGISTERS == 32 ? 4 : 2, KEYS_AHEAD = 16 };

// Formats that are read as they are stored; a block of 32 is loaded at a time, a register of a float format.
static inline int few_takes(int code) { return code <= BP_CODE_BF16 || code == BP_CODE_Q8_0 || code == BP_CODE_Q4_0; }
static inline int few_vectors(int code) { return code <= BP_CODE_BF16 ? 1 : 32 / LANES; }
V_FN const char *few_at(int code, const char *row, int64_t x) {
  return code <= BP_CODE_BF16 ? row + x * bp_code_bytes(code) : row + x / 32 * bp_code_bytes(code);
}
V_FN void few_load(int code, const char *from, vtable table, vf *to) {
  if (code <= BP_CODE_BF16) {
    to[0] = v_load_as(code, from);
    return;
  }
  vf scale = v_scale(code, (const uint8_t *)from);
  v_unit(code, (const uint8_t *)from, 0, table, to);
  for (int i = 0; i < few_vectors(code); i++) to[i] = v_mul(to[i], scale);
}

// s[r][j] = q[r] . k[j] for `rows` (at most FEW) rows and n keys; up to three more scores are written per row.
V_FN void score_few(int code, int rows, const char *k, int64_t k_row, int64_t n, const float *q, int64_t q_row, int64_t d, float *s, int64_t s_row) {
  const int bytes = bp_code_bytes(code), vectors = few_vectors(code);
  const vtable table = v_table(code);
  for (int64_t j = 0; j < n; j += 4) {
    const char *from[4];
    for (int i = 0; i < 4; i++) from[i] = k + (j + i < n ? j + i : n - 1) * k_row;
    vf acc[4][FEW];
    for (int i = 0; i < 4; i++)
      for (int r = 0; r < rows; r++) acc[i][r] = v_zero();
    int64_t x = 0;
    for (; x + LANES * vectors <= d; x += LANES * vectors)
      for (int i = 0; i < 4; i++) {
        const char *at = few_at(code, from[i], x);
        vf key[32 / LANES];
        __builtin_prefetch(at + KEYS_AHEAD * k_row);
        few_load(code, at, table, key);
        for (int v = 0; v < vectors; v++)
          for (int r = 0; r < rows; r++) acc[i][r] = v_fma(key[v], v_load(q + r * q_row + x + LANES * v), acc[i][r]);
      }
    if (x < d) // of a float format
      for (int i = 0; i < 4; i++) {
        vf key = v_load_some(code, from[i] + x * bytes, d - x);
        for (int r = 0; r < rows; r++) acc[i][r] = v_fma(key, v_load_some(BP_CODE_F32, q + r * q_row + x, d - x), acc[i][r]);
      }
    for (int r = 0; r < rows; r++) v_store_sums(s + r * s_row + j, acc[0][r], acc[1][r], acc[2][r], acc[3][r]);
  }
}

// `vectors` registers of weigh_few.
V_FN void weigh_vectors(int code, int rows, int vectors, const char *v, int64_t v_row, int64_t n, const float *p, int64_t p_row, float *o, int64_t o_row, vtable table) {
  vf acc[FEW][4];
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < vectors; i++) acc[r][i] = v_load(o + r * o_row + LANES * i);
  for (int64_t j = 0; j < n; j++)
    for (int i = 0; i < vectors; i += few_vectors(code)) {
      const char *from = few_at(code, v + j * v_row, LANES * i);
      vf value[32 / LANES];
      __builtin_prefetch(from + KEYS_AHEAD * v_row);
      few_load(code, from, table, value);
      for (int r = 0; r < rows; r++)
        for (int l = 0; l < few_vectors(code); l++) acc[r][i + l] = v_fma(v_set(p[r * p_row + j]), value[l], acc[r][i + l]);
    }
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < vectors; i++) v_store(o + r * o_row + LANES * i, acc[r][i]);
}

// o[r] += sum over n keys of p[r][j] * v[j] for `rows` (at most FEW) rows; o has room for whole vectors.
V_FN void weigh_few(int code, int rows, const char *v, int64_t v_row, int64_t n, const float *p, int64_t p_row, int64_t e, float *o, int64_t o_row) {
  const vtable table = v_table(code);
  const int bytes = bp_code_bytes(code);
  int64_t x = 0;
  for (; x + 4 * LANES <= e; x += 4 * LANES) weigh_vectors(code, rows, 4, few_at(code, v, x), v_row, n, p, p_row, o + x, o_row, table);
  for (; few_vectors(code) > 1 && x < e; x += 32) weigh_vectors(code, rows, few_vectors(code), few_at(code, v, x), v_row, n, p, p_row, o + x, o_row, table);
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
  if (code == BP_CODE_Q8_0) FEW_CASES(score_few, BP_CODE_Q8_0, k, k_row, n, q, q_row, d, s, s_row)
  else if (code == BP_CODE_Q4_0) FEW_CASES(score_few, BP_CODE_Q4_0, k, k_row, n, q, q_row, d, s, s_row)
  else if (code == BP_CODE_F16) FEW_CASES(score_few, BP_CODE_F16, k, k_row, n, q, q_row, d, s, s_row)
  else if (code == BP_CODE_BF16) FEW_CASES(score_few, BP_CODE_BF16, k, k_row, n, q, q_row, d, s, s_row)
  else FEW_CASES(score_few, BP_CODE_F32, k, k_row, n, q, q_row, d, s, s_row)
}
static void weigh_part(int code, int64_t rows, const char *v, int64_t v_row, int64_t n, const float *p, int64_t p_row, int64_t e, float *o, int64_t o_row) {
  if (code == BP_CODE_Q8_0) FEW_CASES(weigh_few, BP_CODE_Q8_0, v, v_row, n, p, p_row, e, o, o_row)
  else if (code == BP_CODE_Q4_0) FEW_CASES(weigh_few, BP_CODE_Q4_0, v, v_row, n, p, p_row, e, o, o_row)
  else if (code == BP_CODE_F16) FEW_CASES(weigh_few, BP_CODE_F16, v, v_row, n, p, p_row, e, o, o_row)
  else if (code == BP_CODE_BF16) FEW_CASES(weigh_few, BP_CODE_BF16, v, v_row, n, p, p_row, e, o, o_row)
  else FEW_CASES(weigh_few, BP_CODE_F32, v, v_row, n, p, p_row, e, o, o_row)
}
#undef FEW_CASES
#endif
