// Decoding of rows with AVX2.
#if defined(__x86_64__)
#include "blocks_avx2.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "decode_vector.h"
#pragma clang attribute pop
#endif
