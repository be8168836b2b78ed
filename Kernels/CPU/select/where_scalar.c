// where with broadcasting: bits of a or b, any plain format, any stride.
#include "../shared/call.h"

static void where_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  uint32_t bytes = *(const uint32_t *)context;
  for (uint64_t i = 0; i < n; i++) {
    int which = p[1][(int64_t)i * step[1]] ? 2 : 3;
    memcpy(p[0] + (int64_t)i * step[0], p[which] + (int64_t)i * step[which], bytes);
  }
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[0].dtype != BP_FORMAT_BOOL) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  if (c->in[1].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, 1, 0, 0);
  if (c->in[1].block_elements > 1) return bp_refuse(why, BP_REASON_DTYPE, 1, 1, c->in[1].block_elements);
  if (c->in[2].dtype != c->in[1].dtype) return bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
  return c->out[0].dtype == c->in[1].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, 3, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 8192); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  for (uint32_t i = 0; i < 3; i++) bp_walk_add(&w, &c->in[i]);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, where_run, &c->out[0].block_bytes);
}

const bp_cpu_kernel bp_cpu_where_scalar = {"where", "where_scalar", 0, 0, 0, 0, supports, plan, run};
