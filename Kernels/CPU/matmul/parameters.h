// What a tuner may choose for the products of vector kernels.
#ifndef BACKPLANE_CPU_MATMUL_PARAMETERS_H
#define BACKPLANE_CPU_MATMUL_PARAMETERS_H
#include "../shared/call.h"
#ifndef V_TILES
#define V_TILES 0 // 1: tiles are AMX's, whose panels are to stay in the first cache
#endif

enum { BP_MATMUL_FEW_ROWS, BP_MATMUL_ITEMS, BP_MATMUL_PANELS, BP_MATMUL_DEPTH, BP_MATMUL_PARAMETERS };
enum { BP_MATMUL_HELD = 4096 }; // elements along K that several panels together may hold

static const bp_cpu_parameter bp_matmul_parameters[BP_MATMUL_PARAMETERS] = {
  [BP_MATMUL_FEW_ROWS] = {"few_rows", 8, {1, 2, 4, 8}, 4, 0},                        // most rows of a for which weights are read as they are stored
  [BP_MATMUL_ITEMS] = {"items_per_worker", 4, {1, 2, 4, 8, 16}, 5, 0},               // rows are dealt out when there are fewer than these
  [BP_MATMUL_PANELS] = {"panels", 1, {1, 2, 4}, 3, 0},                               // that one reading of a is multiplied with
  [BP_MATMUL_DEPTH] = {"depth", V_TILES ? 512 : 65536, {256, 512, 1024, 2048, 4096, 65536}, 6, 0},   // most elements along K that a panel holds
};
#define BP_MATMUL_CONSTRAINT "panels == 1 || panels * depth <= 4096"

static inline int64_t bp_matmul_choice(const bp_cpu_call *c, uint32_t index) { return bp_parameter(c, index, bp_matmul_parameters[index].standard); }
#endif
