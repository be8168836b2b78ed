// matmul with NEON; see matmul_vector.h.
#include "matmul_neon.h"
#if defined(__aarch64__)
#include "../shared/blocks_neon.h"
#include "matmul_vector.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_matmul_supported(c, 0, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_neon(c, to, 0); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_matmul_run_neon(c, phase, begin, end, worker, 0);
}
const bp_cpu_kernel bp_cpu_matmul_neon = {
  .op = "matmul", .name = "matmul_neon", .needs = BP_CPU_NEON, .supports = supports, .plan = plan, .run = run,
  .parameters = bp_matmul_parameters, .n_parameters = BP_MATMUL_PARAMETERS, .constraint = BP_MATMUL_CONSTRAINT};
#endif
