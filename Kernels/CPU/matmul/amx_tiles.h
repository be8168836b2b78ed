// The tile instructions of AMX that kernels are written in: the processor's, or where BP_AMX_MODEL is 1 the model of amx_model.c.
//
// A tile is up to 16 rows of up to 64 bytes; 8 of them belong to a thread from bp_amx_configure to bp_amx_release. Tile numbers are constants, strides bytes.
// A chunk of work configures them when it begins and releases them when it ends: between chunks a thread keeps no tiles for the system to save.
#ifndef BACKPLANE_CPU_AMX_TILES_H
#define BACKPLANE_CPU_AMX_TILES_H
#include <stdint.h>

enum { AMX_TILES = 8, AMX_ROWS = 16, AMX_ROW_BYTES = 64 };

// What LDTILECFG reads.
typedef struct bp_amx_config {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16]; // beyond AMX_TILES 0
  uint8_t rows[16];
} bp_amx_config;

// For products c += a b of `rows` rows, `bytes` bytes of a row of a (4 to 64) and 16 columns: tiles 0 … 3 are c, 4 and 5 a, 6 and 7 b.
static inline bp_amx_config bp_amx_products(int rows, int bytes) {
  bp_amx_config config = {.palette = 1};
  for (int i = 0; i < AMX_TILES; i++) {
    config.rows[i] = (uint8_t)(i < 6 ? rows : bytes / 4);
    config.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? bytes : AMX_ROW_BYTES);
  }
  return config;
}

#if BP_AMX_MODEL
void bp_amx_configure(const bp_amx_config *config);
void bp_amx_release(void);
void bp_amx_zero(int tile);
void bp_amx_load(int tile, const void *from, int64_t stride);
void bp_amx_store(int tile, void *to, int64_t stride);
void bp_amx_dpbssd(int c, int a, int b);
void bp_amx_dpbf16ps(int c, int a, int b);
#else
#include <immintrin.h>
#define bp_amx_configure(config) _tile_loadconfig(config)
#define bp_amx_release() _tile_release()
#define bp_amx_zero(tile) _tile_zero(tile)
#define bp_amx_load(tile, from, stride) _tile_loadd(tile, from, (size_t)(stride))
#define bp_amx_store(tile, to, stride) _tile_stored(tile, to, (size_t)(stride))
#define bp_amx_dpbssd(c, a, b) _tile_dpbssd(c, a, b)   // sums of four products of signed bytes, 32 bits that wrap
#define bp_amx_dpbf16ps(c, a, b) _tile_dpbf16ps(c, a, b) // sums of two products of bf16 numbers, f32
#endif
#endif
