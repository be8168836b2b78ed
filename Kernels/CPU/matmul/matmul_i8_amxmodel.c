// matmul_i8_amx.c with the model of the tiles and AVX2 around it, for tests.
#if defined(__x86_64__)
#define I8_TILES 1
#define I8_FEW avx2
#define I8_VNNI 0
#define BP_AMX_MODEL 1
#include "../shared/lanes_avx2.h"
#include "i8_format.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "i8_avx2.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(amxmodel, BP_CPU_AMXMODEL | BP_CPU_AVX2)
#endif
