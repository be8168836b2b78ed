// matmul with AVX-512; see matmul_vector.h.
#include "matmul_avx512.h"
#if defined(__x86_64__)
#include "../shared/blocks_avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "matmul_vector.h"
#pragma clang attribute pop

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_matmul_supported(c, 0, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_avx512(c, to, 0); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_matmul_run_avx512(c, phase, begin, end, worker, 0);
}
const bp_cpu_kernel bp_cpu_matmul_avx512 = {
  .op = "matmul", .name = "matmul_avx512", .needs = BP_CPU_AVX512 | BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run,
  .parameters = bp_matmul_parameters, .n_parameters = BP_MATMUL_PARAMETERS, .constraint = BP_MATMUL_CONSTRAINT};
#endif
