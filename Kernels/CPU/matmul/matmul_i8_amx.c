// matmul and matmul_gated with activations of 8 bits, AMX; see matmul_i8.h.
#if defined(__x86_64__)
#define I8_TILES 1
#define I8_FEW avx512vnni
#define BP_AMX_MODEL 0
#include "../shared/lanes_avx512.h"
#include "i8_format.h"
#pragma clang attribute push(__attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "i8_avx512.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(amx, BP_CPU_AMX | BP_CPU_AVX512VNNI | BP_CPU_AVX512 | BP_CPU_AVX2)
#endif
