// matmul and matmul_gated with activations of 8 bits, AVX2; see matmul_i8.h.
#if defined(__x86_64__)
#include "../shared/lanes_avx2.h"
#include "i8_format.h"
#define I8_VNNI 0
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "i8_avx2.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(avx2, BP_CPU_AVX2)
#endif
