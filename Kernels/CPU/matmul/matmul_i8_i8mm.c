// matmul and matmul_gated with activations of 8 bits, NEON with i8mm; see matmul_i8.h.
#if defined(__aarch64__)
#define I8_MM 1
#include "../shared/lanes_neon.h"
#include "i8_format.h"
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#include "i8_neon.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(i8mm, BP_CPU_I8MM | BP_CPU_DOTPROD | BP_CPU_NEON)
#endif
