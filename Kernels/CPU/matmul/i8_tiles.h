// Products of strips of 16 rows and panels (i8_products.h) with AMX: a tile of a is 16 rows of the elements that share a scale (32, or 16), a tile of b
// those of 16 columns.
//
// Sums   whole numbers of one scale, exact; each is stored, converted and added to a float sum that stays in registers over the whole of k.
// Signed the offset of a format is taken away from its numbers when a panel is packed: there is no correction.
// Tiles  four of the parts that share a scale at a time, with a tile of sums each: no part waits for what becomes of another's sums.
#ifndef BACKPLANE_CPU_I8_TILES_H
#define BACKPLANE_CPU_I8_TILES_H
#include "amx_tiles.h"

// For strips of `rows` rows at most, from here to i8_end_tiles on this thread.
static inline void i8_begin_tiles(int code, int64_t rows) {
  bp_amx_config config = bp_amx_products(rows <= I8_STRIP / 2 ? I8_STRIP / 2 : I8_STRIP, i8_sub(code));
  bp_amx_configure(&config);
}
static inline void i8_end_tiles(void) { bp_amx_release(); }

// to = strip * panel for `rows` rows of a strip that has I8_STRIP.
I8_FN void i8_tile_rows(int code, int rows, const char *strip, const char *panel, int64_t k, float *to) {
  enum { COLUMNS = 16, VECTORS = COLUMNS / LANES };
  const int parts = I8_GROUP / i8_sub(code), minimum = i8_has_minimum(code), a_bytes = i8_sub(code), b_bytes = i8_sub(code) * I8_PANEL;
  for (int first = 0; first < I8_PANEL; first += COLUMNS) {
    vf acc[I8_STRIP][VECTORS];
    for (int m = 0; m < rows; m++)
      for (int h = 0; h < VECTORS; h++) acc[m][h] = v_zero();
    const char *a = strip, *b = panel + 4 * first;
    for (int64_t at = 0; at < k; at += I8_GROUP, a += i8_strip_bytes(code, I8_STRIP), b += i8_panel_bytes(code)) {
      const float *correction = (const float *)(a + I8_GROUP * I8_STRIP), *scale = correction + parts * I8_STRIP;
      const float *weights = (const float *)(b + I8_GROUP * I8_PANEL); // b begins with the column `first`, four bytes each, as scales do
      for (int p = 0; p < parts; p += 4) {
        _Alignas(64) int32_t sums[4][I8_STRIP][COLUMNS];
#define PART(i, x, y)                                               \
  bp_amx_zero(i);                                                   \
  bp_amx_load(x, a + (p + i) * a_bytes, I8_GROUP);                  \
  bp_amx_load(y, b + (p + i) * b_bytes, 4 * I8_PANEL);              \
  bp_amx_dpbssd(i, x, y);                                           \
  bp_amx_store(i, sums[i], 4 * COLUMNS);
        PART(0, 4, 6) PART(1, 5, 7) PART(2, 4, 6) PART(3, 5, 7)
#undef PART
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++)
          for (int h = 0; h < VECTORS; h++) {
            const vf factor = v_load(weights + (p + i) * I8_PANEL + LANES * h), least = minimum ? v_load(weights + (parts + p + i) * I8_PANEL + LANES * h) : factor;
            for (int m = 0; m < rows; m++) {
              acc[m][h] = v_fma(i8_float(i8_load(&sums[i][m][LANES * h])), v_mul(factor, v_set(scale[(p + i) * I8_STRIP + m])), acc[m][h]);
              if (minimum) acc[m][h] = v_fma(least, v_set(correction[(p + i) * I8_STRIP + m]), acc[m][h]);
            }
          }
      }
    }
    for (int m = 0; m < rows; m++)
      for (int h = 0; h < VECTORS; h++) v_store(to + m * I8_PANEL + first + LANES * h, acc[m][h]);
  }
}
#endif
