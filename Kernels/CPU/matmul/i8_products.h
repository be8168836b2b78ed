// Products of quantised rows (i8_rows.h) and block formats: dots for a few rows, tiles for more.
#ifndef BACKPLANE_CPU_I8_PRODUCTS_H
#define BACKPLANE_CPU_I8_PRODUCTS_H
#include "i8_rows.h"

enum {
  I8_AHEAD = 12288,                        // bytes that weights are fetched ahead, see dot.h
  I8_DOT_CACHE = 24 << 10,                 // bytes of rounded rows that dots of several columns share
  I8_WIDTH = 4 * LANES,                    // bytes of a register
  I8_PANEL = 2 * LANES,                    // columns of a panel
};
#ifndef I8_KEEP
#define I8_KEEP(x) (void)0
#define I8_AGAIN(p) (void)0
#endif
#include "i8_quads.h"

#if !I8_TILES
// One step of `columns` columns, for `rows` rows whose groups lie row_bytes apart.
I8_FN void i8_dot_step(int code, int columns, int rows, const uint8_t *const *b, const char *a, int64_t row_bytes, vf acc[][I8_DOT_MOST]) {
  const int sets = i8_group_lanes(code) / LANES, split = i8_is_split(code), minimum = i8_has_minimum(code);
  i8_factors f[I8_TOGETHER];
  for (int c = 0; c < columns; c++) f[c] = i8_factors_of(code, b[c]);
#pragma clang loop unroll(full)
  for (int part = 0; part < i8_step(code) / I8_GROUP; part++) {
    vi q[I8_TOGETHER][I8_REGISTERS];
    for (int c = 0; c < columns; c++) i8_codes(code, b[c], part, q[c]);
#pragma clang loop unroll(full)
    for (int s = 0; s < sets; s++) {
      vf scale[I8_TOGETHER], least[I8_TOGETHER];
      for (int c = 0; c < columns; c++) {
        scale[c] = i8_factor(code, &f[c], part * sets + s);
        least[c] = minimum && split ? i8_least(code, &f[c], s) : v_zero();
      }
      for (int m = 0; m < rows; m++) {
        const char *row = a + part * i8_dot_bytes(code) + m * row_bytes, *correction = row + I8_GROUP + s * I8_WIDTH;
        vi zero = minimum || i8_zero_of(code) == 0 ? i8_set(0) : i8_load(correction), low = i8_load(row + s * I8_WIDTH);
        vi high = split ? i8_load(row + (s + sets) * I8_WIDTH) : low;
        vf own = v_load((const float *)(correction + 4 * i8_group_lanes(code)));
        for (int c = 0; c < columns; c++) {
          vi sum = i8_dot(code, i8_begin(zero), q[c][s], low);
          if (split) sum = i8_dot(code, sum, q[c][s + sets], high);
          acc[c][m] = v_fma(i8_float(i8_end(code, sum, zero)), v_mul(scale[c], own), acc[c][m]);
          if (minimum && split) acc[c][m] = v_fma(least[c], v_load((const float *)correction), acc[c][m]);
        }
      }
    }
  }
  if (minimum && !split)
    for (int m = 0; m < rows; m++)
      for (int c = 0; c < columns; c++) acc[c][m] = i8_add_minima(code, &f[c], (const float *)(a + m * row_bytes + I8_GROUP), acc[c][m]);
}

// sums[c][m] += row m of a times column c, for `columns` (4 or 2) columns; k is whole blocks. The lanes of a sum belong together.
I8_FN void i8_dots(int code, int columns, int rows, const uint8_t *const w[4], const char *a, int64_t row_bytes, int64_t k, vf sums[][I8_DOT_MOST]) {
  const int step = i8_step(code), bytes = i8_step_bytes(code), together = columns < I8_TOGETHER ? columns : I8_TOGETHER;
  vf acc[4][I8_DOT_MOST];
  for (int c = 0; c < columns; c++)
    for (int m = 0; m < rows; m++) acc[c][m] = sums[c][m];
  int64_t at = 0, i = 0;
  for (; at + step <= k; at += step, i += bytes, a += step / I8_GROUP * i8_dot_bytes(code)) {
    const uint8_t *b[4];
    for (int c = 0; c < columns; c++) {
      b[c] = w[c] + i;
      for (int ahead = 0; ahead < bytes; ahead += 64) __builtin_prefetch(b[c] + I8_AHEAD + ahead);
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c += together) {
      if (code != I8_MXFP4) I8_AGAIN(a); // its rare call takes all registers anyway: a tenth slower
      i8_dot_step(code, together, rows, b + c, a, row_bytes, acc + c);
    }
  }
  if (i8_is_split(code) && at < k) // blocks of 32 that are no whole group
    for (int c = 0; c < columns; c++) {
      uint8_t rest[4 * 34] = {0};
      const uint8_t *b = rest;
      memcpy(rest, w[c] + i, (size_t)((k - at) / I8_UNIT * i8_block_bytes(code)));
      i8_dot_step(code, 1, rows, &b, a, row_bytes, acc + c);
    }
  for (int c = 0; c < columns; c++)
    for (int m = 0; m < rows; m++) sums[c][m] = acc[c][m];
}
// Elements along k whose rounded rows, group_bytes a group together, stay in the first cache while columns go by.
static inline int64_t i8_span(int64_t group_bytes) {
  int64_t span = I8_DOT_CACHE / group_bytes * I8_GROUP / 256 * 256;
  return span < 256 ? 256 : span;
}
#endif

// One half, LANES columns (`count` of which exist), of a panel: [group][I8_WORD elements][I8_PANEL] numbers and, for each part that shares a scale,
// [group][part][I8_PANEL] scales, minima behind them. A worker writes it, then multiplies strips with it. For tiles numbers are signed, in natural order.
static inline int64_t i8_panel_bytes(int code) { return I8_PANEL * (I8_GROUP + (i8_has_minimum(code) ? 8 : 4) * (I8_GROUP / i8_sub(code))); }

// The numbers of a group as they go into a panel: register r of column n to codes[r][n].
I8_FN void i8_put(int code, vi q[I8_REGISTERS], int64_t n, vi codes[I8_REGISTERS][LANES]) {
#if I8_TILES
  typedef signed char bytes __attribute__((vector_size(I8_WIDTH)));
  for (int r = 0; r < I8_REGISTERS; r++) q[r] = (vi)((bytes)q[r] - (signed char)i8_zero_of(code)); // 128 is -128, which is taken away as well
  for (int c = 0; c < 8; c++)
    memcpy((char *)&codes[16 * c / I8_WIDTH][n] + 16 * c % I8_WIDTH, (const char *)q + 4 * i8_chunk_at(code, c), 16);
#else
  (void)code;
  for (int r = 0; r < I8_REGISTERS; r++) codes[r][n] = q[r];
#endif
}

I8_FN void i8_pack(int code, const uint8_t *b, int64_t column_bytes, int64_t count, int64_t k, int64_t half, char *to) {
  const int parts = I8_GROUP / i8_sub(code), step = i8_step(code), groups = step / I8_GROUP;
  vi codes[2][I8_REGISTERS][LANES];
  for (int64_t at = 0; at < k; at += step, b += i8_step_bytes(code), to += groups * i8_panel_bytes(code)) {
    for (int64_t n = 0; n < LANES; n++) {
      const uint8_t *from = b + n * column_bytes;
      uint8_t rest[4 * 34] = {0};
      if (n < count && at + step <= k) { // the next panel's, which no prefetcher guesses
        for (int ahead = 0; ahead < i8_step_bytes(code); ahead += 64) __builtin_prefetch(from + LANES * column_bytes + ahead, 0, 2);
      } else if (n >= count && code < I8_Q2_K) from = rest;
      else if (n >= count) from = b;
      else from = memcpy(rest, from, (size_t)((k - at) / I8_UNIT * i8_block_bytes(code)));
      float scales[32];
      i8_scales(code, from, scales);
      for (int part = 0; part < groups; part++) {
        vi q[I8_REGISTERS];
        i8_codes(code, from, part, q);
        i8_put(code, q, n, codes[part]);
        float *out = (float *)(to + part * i8_panel_bytes(code) + I8_PANEL * I8_GROUP) + LANES * half + n;
        for (int p = 0; p < parts; p++) out[p * I8_PANEL] = scales[part * parts + p];
        if (i8_has_minimum(code))
          for (int p = 0; p < parts; p++) out[(parts + p) * I8_PANEL] = scales[16 + part * parts + p];
      }
    }
    for (int part = 0; part < groups; part++)
      for (int r = 0; r < I8_REGISTERS; r++)
        i8_transpose(codes[part][r], to + part * i8_panel_bytes(code) + 4 * r * LANES * I8_PANEL + I8_WORD * LANES * half, I8_PANEL);
  }
}

#if I8_TILES
#include "i8_tiles.h"
#else
static inline void i8_begin_tiles(int code, int64_t rows) { (void)code, (void)rows; }
static inline void i8_end_tiles(void) {}

// What the sums of a scale begin with, or end with.
I8_FN vi i8_tile_zero(int code, int32_t correction) { return i8_has_minimum(code) || i8_zero_of(code) == 0 ? i8_set(0) : i8_set(correction); }

// to = strip * panel for `rows` rows of a strip that has I8_STRIP.
I8_FN void i8_tile_rows(int code, int rows, const char *strip, const char *panel, int64_t k, float *to) {
  const int parts = I8_GROUP / i8_sub(code), fours = i8_sub(code) / 4, most = i8_most_steps(code), minimum = i8_has_minimum(code);
  vf acc[I8_STRIP][2];
  for (int m = 0; m < rows; m++) acc[m][0] = acc[m][1] = v_zero();
  for (int64_t at = 0; at < k; at += I8_GROUP, strip += i8_strip_bytes(code, I8_STRIP), panel += i8_panel_bytes(code)) {
    const int32_t *correction = (const int32_t *)(strip + I8_GROUP * I8_STRIP);
    const float *scale = (const float *)(correction + parts * I8_STRIP), *weights = (const float *)(panel + I8_GROUP * I8_PANEL);
    for (int p = 0; p < parts; p++, correction += I8_STRIP, scale += I8_STRIP, weights += I8_PANEL) {
      vi whole[I8_STRIP][2];
#pragma clang loop unroll(full)
      for (int i = 0; i < fours; i += most) {
        vi sums[I8_STRIP][2], zero[I8_STRIP];
        for (int m = 0; m < rows; m++) {
          zero[m] = i ? i8_set(0) : i8_tile_zero(code, correction[m]);
          for (int h = 0; h < 2; h++) sums[m][h] = i8_begin(I8_MM ? i8_set(0) : zero[m]);
        }
#if I8_MM
#pragma clang loop unroll(full)
        for (int j = 0; j < fours; j += 2) {
          int four = i8_chunk_at(code, (p * fours + j) / 4) + j % 4;
          for (int m = 0; m < rows; m += 2)
            for (int h = 0; h < 2; h++)
              i8_add_products(&sums[m][h], &sums[m + 1][h], panel + 4 * four * I8_PANEL + 8 * LANES * h, strip + 4 * four * I8_STRIP + 8 * m);
        }
        for (int m = 0; m < rows; m += 2)
          for (int h = 0; h < 2; h++) {
            i8_sort_products(&sums[m][h], &sums[m + 1][h]);
            sums[m][h] += zero[m], sums[m + 1][h] += zero[m + 1];
          }
#else
#pragma clang loop unroll(full)
        for (int j = i; j < i + most && j < fours; j++) {
          int four = i8_chunk_at(code, (p * fours + j) / 4) + j % 4;
          vi w[2];
          for (int h = 0; h < 2; h++) w[h] = i8_load(panel + 4 * (four * I8_PANEL + LANES * h));
          for (int m = 0; m < rows; m++) {
            vi a = i8_set(((const int32_t *)strip)[four * I8_STRIP + m]);
            for (int h = 0; h < 2; h++) sums[m][h] = i8_dot(code, sums[m][h], w[h], a);
          }
          for (int m = 0; m < rows; m++)
            for (int h = 0; h < 2; h++) I8_KEEP(sums[m][h]);
        }
#endif
        for (int m = 0; m < rows; m++) // the correction is asked for again: where it is added last, it needs no register until here
          for (int h = 0; h < 2; h++) whole[m][h] = i8_end(code, sums[m][h], i ? whole[m][h] : I8_MM ? zero[m] : i8_tile_zero(code, correction[m]));
      }
      for (int m = 0; m < rows; m++)
        for (int h = 0; h < 2; h++) acc[m][h] = v_fma(i8_float(whole[m][h]), v_mul(v_load(weights + LANES * h), v_set(scale[m])), acc[m][h]);
      if (minimum)
        for (int m = 0; m < rows; m++)
          for (int h = 0; h < 2; h++) acc[m][h] = v_fma(v_load(weights + parts * I8_PANEL + LANES * h), v_set(((const float *)correction)[m]), acc[m][h]);
    }
  }
  for (int m = 0; m < rows; m++)
    for (int h = 0; h < 2; h++) v_store(to + m * I8_PANEL + LANES * h, acc[m][h]);
}
#endif

#define I8_EACH(CASE) CASE(I8_Q4_0) CASE(I8_Q4_1) CASE(I8_Q5_0) CASE(I8_Q5_1) CASE(I8_Q8_0) CASE(I8_IQ4_NL) CASE(I8_MXFP4) CASE(I8_Q4_Z) \
  CASE(I8_Q2_K) CASE(I8_Q3_K) CASE(I8_Q4_K) CASE(I8_Q5_K) CASE(I8_Q6_K) CASE(I8_TQ2_0)

// One function a format, so that each is compiled by itself.
#if I8_TILES
#define I8_DOTS_OF(code) .pack = pack_##code
#define I8_DOT_FUNCTIONS(code)
#else
#define I8_DOTS_OF(code) .dots = dots_##code, .quads = quads_##code, .pack = pack_##code
#define I8_DOT_FUNCTIONS(code)                                                                                                         \
  static void dots_##code(int rows, const uint8_t *const w[4], const char *a, int64_t row_bytes, int64_t k, vf sums[][I8_DOT_MOST]) { \
    switch (rows) {                                                                                                                    \
    case 1: i8_dots(code, 4, 1, w, a, row_bytes, k, sums); return;                                                                     \
    case 2: i8_dots(code, 4, 2, w, a, row_bytes, k, sums); return;                                                                     \
    case 3: if (i8_dot_most(code) > 2) i8_dots(code, 2, 3, w, a, row_bytes, k, sums); return;                                          \
    default: if (i8_dot_most(code) > 2) i8_dots(code, 2, 4, w, a, row_bytes, k, sums);                                                 \
    }                                                                                                                                  \
  }                                                                                                                                    \
  static void quads_##code(int64_t rows, const uint8_t *const w[8], const char *a, int64_t row_bytes, int64_t k, vf (*sums)[2]) {      \
    i8_quads(code, rows, w, a, row_bytes, k, sums);                                                                                    \
  }
#endif
#define I8_FUNCTIONS(code)                                                                                                             \
  I8_DOT_FUNCTIONS(code)                                                                                                               \
  static void pack_##code(const uint8_t *b, int64_t column_bytes, int64_t count, int64_t k, int64_t half, char *to) {                  \
    i8_pack(code, b, column_bytes, count, k, half, to);                                                                                \
  }                                                                                                                                    \
  static void tile_##code(int64_t rows, const char *strip, const char *panel, int64_t k, float *to) {                                  \
    if (rows <= I8_STRIP / 2) i8_tile_rows(code, I8_STRIP / 2, strip, panel, k, to);                                                   \
    else if (I8_STRIP > 4 && rows <= 4) i8_tile_rows(code, 4, strip, panel, k, to);                                                    \
    else if (I8_STRIP == 4 && !I8_MM && rows == 3) i8_tile_rows(code, 3, strip, panel, k, to);                                         \
    else i8_tile_rows(code, I8_STRIP, strip, panel, k, to);                                                                            \
  }
I8_EACH(I8_FUNCTIONS)
#undef I8_FUNCTIONS

typedef struct i8_functions {
  void (*dots)(int rows, const uint8_t *const w[4], const char *a, int64_t row_bytes, int64_t k, vf sums[][I8_DOT_MOST]);
  void (*quads)(int64_t rows, const uint8_t *const w[8], const char *a, int64_t row_bytes, int64_t k, vf (*sums)[2]);
  void (*pack)(const uint8_t *b, int64_t column_bytes, int64_t count, int64_t k, int64_t half, char *to);
  void (*tile)(int64_t rows, const char *strip, const char *panel, int64_t k, float *to);
} i8_functions;
static const i8_functions i8_table[I8_CODES] = {
#define ENTRY(code) [code] = {I8_DOTS_OF(code), .tile = tile_##code},
  I8_EACH(ENTRY)
#undef ENTRY
};
#endif
