// matmul_bf16_amx.c with the model of the tiles and AVX2 around it, for tests.
#if defined(__x86_64__)
#define V_TILES 1
#define BP_AMX_MODEL 1
#include "../shared/lanes_avx2.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "bf16_avx2.h"
#include "../shared/blocks_avx2.h"
#include "matmul_bf16.h"
#pragma clang attribute pop
BF16_KERNELS(amxmodel, BP_CPU_AMXMODEL | BP_CPU_AVX2, 1)
#endif
