// matmul and matmul_gated of dense weights with products of bf16 numbers, AVX512-BF16; see matmul_bf16.h.
#if defined(__x86_64__)
#include "../shared/lanes_avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "bf16_avx512.h"
#include "../shared/blocks_avx512.h"
#include "matmul_bf16.h"
#pragma clang attribute pop
BF16_KERNELS(avx512, BP_CPU_AVX512BF16 | BP_CPU_AVX512 | BP_CPU_AVX2, 0)
#endif
