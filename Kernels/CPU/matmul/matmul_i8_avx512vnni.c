// matmul and matmul_gated with activations of 8 bits, AVX-512 VNNI; see matmul_i8.h.
#if defined(__x86_64__)
#define I8_QUADS 1
#include "../shared/lanes_avx512.h"
#include "i8_format.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "i8_avx512.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(avx512vnni, BP_CPU_AVX512VNNI | BP_CPU_AVX512 | BP_CPU_AVX2)
#endif
