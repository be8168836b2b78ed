// attention with AVX-512; see attention_vector.h.
#include "problem.h"
#if defined(__x86_64__)
#include "../shared/blocks_avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "attention_vector.h"
#pragma clang attribute pop

const bp_cpu_kernel bp_cpu_attention_avx512 = {
  .op = "attention", .name = "attention_avx512", .needs = BP_CPU_AVX512 | BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run,
  .parameters = parameters, .n_parameters = PARAMETERS};
#endif
