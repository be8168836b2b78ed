// Decoding of rows with AVX-512.
#if defined(__x86_64__)
#include "blocks_avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#define decode_rest bp_decode_avx2
#include "decode_vector.h"
#pragma clang attribute pop
#endif
