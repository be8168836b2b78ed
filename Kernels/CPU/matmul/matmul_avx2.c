// matmul with AVX2; see matmul_vector.h.
#include "matmul_avx2.h"
#if defined(__x86_64__)
#include "../shared/blocks_avx2.h"
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#include "matmul_vector.h"
#pragma clang attribute pop

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_matmul_supported(c, 0, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_avx2(c, to, 0); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_matmul_run_avx2(c, phase, begin, end, worker, 0);
}
const bp_cpu_kernel bp_cpu_matmul_avx2 = {
  .op = "matmul", .name = "matmul_avx2", .needs = BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run,
  .parameters = bp_matmul_parameters, .n_parameters = BP_MATMUL_PARAMETERS, .constraint = BP_MATMUL_CONSTRAINT};
#endif
