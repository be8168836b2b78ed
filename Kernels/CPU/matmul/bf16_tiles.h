// Products of a strip and a panel with AMX, in place of shared/tile.h: both are pairs of bf16 numbers along k.
//
// A strip is [k / 32][STRIP][16 pairs], a tile of a each; a panel [pair][PANEL] as elsewhere, of which 16 rows of 16 columns are a tile of b. Both end with
// pairs of 0 up to a multiple of 32 elements. Sums stay in tiles over the depth of a panel, two of them for each strip with AVX-512 around it: a tile of a
// serves both. At a depth of 512 a panel has 32 KiB, which the first cache holds.
#ifndef BACKPLANE_CPU_BF16_TILES_H
#define BACKPLANE_CPU_BF16_TILES_H
#include "amx_tiles.h"

enum { STRIP = 16, PANEL = 2 * LANES, TILE_PAIRS = 16, TILE_COLUMNS = 16, K_UNIT = 2 * TILE_PAIRS };

static inline int64_t steps_of(int64_t k) { return (k + K_UNIT - 1) / K_UNIT * TILE_PAIRS; }

static inline void begin_tiles(int64_t rows) {
  bp_amx_config config = bp_amx_products(rows <= STRIP / 2 ? STRIP / 2 : STRIP, 4 * TILE_PAIRS);
  bp_amx_configure(&config);
}
static inline void end_tiles(void) { bp_amx_release(); }

// `rows` rows of k floats, a_row floats apart, to a strip; rows that do not exist become 0.
V_FN void pack_strip(const float *a, int64_t a_row, int64_t rows, int64_t k, float *to) {
  for (int64_t x = 0; x < k; x += K_UNIT, to += STRIP * TILE_PAIRS) {
    memset(to, 0, k - x < K_UNIT || rows < STRIP ? STRIP * TILE_PAIRS * 4 : 0);
    for (int64_t r = 0; r < rows; r++) v_round_pairs(a + r * a_row + x, k - x < K_UNIT ? k - x : K_UNIT, to + r * TILE_PAIRS);
  }
}

// to = (add ? to : 0) + strip * panel, all rows of the strip; `steps` pairs of each.
V_FN void tile(int64_t rows, const float *strip, const float *panel, int64_t panel_row, int64_t steps, float *to, int64_t to_row, int add) {
  (void)rows;
  if (add) {
    bp_amx_load(0, to, 4 * to_row);
    if (PANEL > TILE_COLUMNS) bp_amx_load(1, to + TILE_COLUMNS, 4 * to_row);
  } else {
    bp_amx_zero(0);
    bp_amx_zero(1);
  }
  for (int64_t x = 0; x < steps; x += TILE_PAIRS, strip += STRIP * TILE_PAIRS, panel += TILE_PAIRS * panel_row) {
    bp_amx_load(4, strip, 4 * TILE_PAIRS);
    bp_amx_load(6, panel, 4 * panel_row);
    bp_amx_dpbf16ps(0, 4, 6);
    if (PANEL <= TILE_COLUMNS) continue;
    bp_amx_load(7, panel + TILE_COLUMNS, 4 * panel_row);
    bp_amx_dpbf16ps(1, 4, 7);
  }
  bp_amx_store(0, to, 4 * to_row);
  if (PANEL > TILE_COLUMNS) bp_amx_store(1, to + TILE_COLUMNS, 4 * to_row);
}
#endif
