// y = act(a * gate^T) * (a * up^T) with AVX-512; see matmul/matmul_vector.h.
#include "../matmul/matmul_avx512.h"
#include "../matmul/parameters.h"
#if defined(__x86_64__)

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_matmul_supported(c, 1, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_avx512(c, to, 1); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_matmul_run_avx512(c, phase, begin, end, worker, 1);
}
const bp_cpu_kernel bp_cpu_matmul_gated_avx512 = {
  .op = "matmul_gated", .name = "matmul_gated_avx512", .needs = BP_CPU_AVX512 | BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run,
  .parameters = bp_matmul_parameters, .n_parameters = BP_MATMUL_PARAMETERS, .constraint = BP_MATMUL_CONSTRAINT};
#endif
