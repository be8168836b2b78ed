// What a tuner may choose for products with activations of 8 bits.
#ifndef BACKPLANE_CPU_I8_PARAMETERS_H
#define BACKPLANE_CPU_I8_PARAMETERS_H
#include "../shared/call.h"

enum { I8_FEW_ROWS, I8_ITEMS, I8_PARAMETERS };
static const bp_cpu_parameter i8_parameters[I8_PARAMETERS] = {
  [I8_FEW_ROWS] = {"few_rows", I8_TILES ? 4 : 8, {1, 2, 4, 8, 16}, 5, 0},           // as bp_matmul_parameters has it; where the kernel has fewer, all of its
  [I8_ITEMS] = {"items_per_worker", 4, {1, 2, 4, 8, 16}, 5, 0},
};
static inline int64_t i8_choice(const bp_cpu_call *c, uint32_t index) { return bp_parameter(c, index, i8_parameters[index].standard); }
#endif
