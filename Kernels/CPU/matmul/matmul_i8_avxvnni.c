// matmul and matmul_gated with activations of 8 bits, AVX-VNNI; see matmul_i8.h.
#if defined(__x86_64__)
#include "../shared/lanes_avx2.h"
#include "i8_format.h"
#define I8_VNNI 1
#pragma clang attribute push(__attribute__((target("avxvnni,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "i8_avx2.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(avxvnni, BP_CPU_AVXVNNI | BP_CPU_AVX2)
#endif
