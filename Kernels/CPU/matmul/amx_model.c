// The tile instructions of amx_tiles.h in plain C, after Intel's Software Developer's Manual, volume 2 (LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBSSD,
// TDPBF16PS): what runs the logic of AMX kernels on any x86-64. For tests; the level `amxmodel` is nobody's default.
//
// What a processor answers with an exception (#GP, #UD) stops the program here, too: a shape that was not configured, tiles that do not fit together.
#if defined(__x86_64__)
#define BP_AMX_MODEL 1
#include "amx_tiles.h"
#include <math.h>
#include <string.h>

// A thread's tiles, as those of the processor are. What lies beyond a tile's rows and their length stays 0.
static _Thread_local struct {
  int configured;
  int rows[AMX_TILES], bytes[AMX_TILES];
  char data[AMX_TILES][AMX_ROWS][AMX_ROW_BYTES];
} tiles;

static void demand(int holds) {
  if (!holds) __builtin_trap();
}
static void demand_tile(int tile) { demand(tiles.configured && tile >= 0 && tile < AMX_TILES && tiles.rows[tile] > 0); }

void bp_amx_configure(const bp_amx_config *config) {
  demand(config->palette == 1 && config->start_row == 0);
  for (int i = 0; i < 14; i++) demand(config->reserved[i] == 0);
  for (int i = 0; i < 16; i++) {
    demand(config->rows[i] <= (i < AMX_TILES ? AMX_ROWS : 0) && config->row_bytes[i] <= (i < AMX_TILES ? AMX_ROW_BYTES : 0));
    demand((config->rows[i] == 0) == (config->row_bytes[i] == 0));
  }
  memset(&tiles, 0, sizeof tiles);
  for (int i = 0; i < AMX_TILES; i++) tiles.rows[i] = config->rows[i], tiles.bytes[i] = config->row_bytes[i];
  tiles.configured = 1;
}
void bp_amx_release(void) { memset(&tiles, 0, sizeof tiles); }

void bp_amx_zero(int tile) {
  demand_tile(tile);
  memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}
void bp_amx_load(int tile, const void *from, int64_t stride) {
  bp_amx_zero(tile);
  for (int r = 0; r < tiles.rows[tile]; r++) memcpy(tiles.data[tile][r], (const char *)from + r * stride, (size_t)tiles.bytes[tile]);
}
void bp_amx_store(int tile, void *to, int64_t stride) {
  demand_tile(tile);
  for (int r = 0; r < tiles.rows[tile]; r++) memcpy((char *)to + r * stride, tiles.data[tile][r], (size_t)tiles.bytes[tile]);
}

static void demand_products(int c, int a, int b) {
  demand_tile(c), demand_tile(a), demand_tile(b);
  demand(c != a && c != b && a != b);
  demand(tiles.bytes[c] % 4 == 0 && tiles.bytes[a] % 4 == 0 && tiles.bytes[b] % 4 == 0);
  demand(tiles.rows[c] == tiles.rows[a] && tiles.bytes[c] == tiles.bytes[b] && tiles.bytes[a] / 4 == tiles.rows[b]);
}
void bp_amx_dpbssd(int c, int a, int b) {
  demand_products(c, a, b);
  for (int m = 0; m < tiles.rows[c]; m++) {
    uint32_t sums[AMX_ROW_BYTES / 4];
    memcpy(sums, tiles.data[c][m], sizeof sums);
    for (int k = 0; k < tiles.bytes[a] / 4; k++) {
      const signed char *x = (const signed char *)tiles.data[a][m] + 4 * k, *y = (const signed char *)tiles.data[b][k];
      for (int n = 0; n < tiles.bytes[c] / 4; n++)
        for (int i = 0; i < 4; i++) sums[n] += (uint32_t)(x[i] * y[4 * n + i]);
    }
    memcpy(tiles.data[c][m], sums, sizeof sums);
  }
}

static float flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; } // NaN comes through
static float bf16_at(const char *p) {
  uint32_t word = 0;
  float x;
  memcpy((char *)&word + 2, p, 2);
  memcpy(&x, &word, 4);
  return flushed(x);
}
// With the processor's instruction: every level from AVX2 has it.
__attribute__((target("fma"))) static float product_sum(float a, float b, float sum) { return flushed(__builtin_fmaf(a, b, sum)); }

// First and second elements of pairs are summed apart, each by multiply-adds that are rounded to nearest even; then both, then c. Subnormal numbers are 0
// wherever they turn up.
void bp_amx_dpbf16ps(int c, int a, int b) {
  demand_products(c, a, b);
  for (int m = 0; m < tiles.rows[c]; m++) {
    float sums[2][AMX_ROW_BYTES / 4] = {0}, to[AMX_ROW_BYTES / 4];
    for (int k = 0; k < tiles.bytes[a] / 4; k++)
      for (int n = 0; n < tiles.bytes[c] / 4; n++)
        for (int i = 0; i < 2; i++) sums[i][n] = product_sum(bf16_at(tiles.data[a][m] + 4 * k + 2 * i), bf16_at(tiles.data[b][k] + 4 * n + 2 * i), sums[i][n]);
    memcpy(to, tiles.data[c][m], sizeof to);
    for (int n = 0; n < tiles.bytes[c] / 4; n++) to[n] = flushed(flushed(to[n]) + flushed(sums[0][n] + sums[1][n]));
    memcpy(tiles.data[c][m], to, sizeof to);
  }
}
#endif
