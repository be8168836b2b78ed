// matmul and matmul_gated with products of bf16 numbers, AMX; weights in block formats, too. See matmul_bf16.h and bf16_tiles.h.
#if defined(__x86_64__)
#define V_TILES 1
#define BP_AMX_MODEL 0
#include "../shared/lanes_avx512.h"
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "bf16_avx512.h"
#include "../shared/blocks_avx512.h"
#include "matmul_bf16.h"
#pragma clang attribute pop
BF16_KERNELS(amx, BP_CPU_AMX | BP_CPU_AVX512BF16 | BP_CPU_AVX512 | BP_CPU_AVX2, 1)
#endif
