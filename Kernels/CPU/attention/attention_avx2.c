// attention with AVX2; see attention_vector.h.
#include "problem.h"
#if defined(__x86_64__)
#include "../shared/blocks_avx2.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "attention_vector.h"
#pragma clang attribute pop

const bp_cpu_kernel bp_cpu_attention_avx2 = {
  .op = "attention", .name = "attention_avx2", .needs = BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run,
  .parameters = parameters, .n_parameters = PARAMETERS};
#endif
