// expand: x's dimensions of extent 1, and those it lacks in front, repeated. Plain formats, any stride.
#include "move.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_same_format(c, why)) return 0;
  return c->in[0].block_elements == 1 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 0, 1, c->in[0].block_elements);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_units(p, &c->out[0]); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, bp_copy_view(&c->out[0], &c->in[0], begin, end);
}

const bp_cpu_kernel bp_cpu_expand_scalar = {"expand", "expand_scalar", 0, 0, 0, 0, supports, plan, run};
