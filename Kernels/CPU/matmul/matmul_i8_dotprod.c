// matmul and matmul_gated with activations of 8 bits, NEON with dotprod; see matmul_i8.h.
#if defined(__aarch64__)
#include "../shared/lanes_neon.h"
#include "i8_format.h"
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "i8_neon.h"
#include "matmul_i8.h"
#pragma clang attribute pop
I8_KERNELS(dotprod, BP_CPU_DOTPROD | BP_CPU_NEON)
#endif
