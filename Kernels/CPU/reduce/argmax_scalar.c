// argmax along the last dimension: the lowest index of the largest; NaN counts as larger than everything.
#include "../shared/call.h"
#include "../shared/largest.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 1, 0, why)) return 0;
  return c->out[0].dtype == BP_FORMAT_I32 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_rows(p, &c->in[0], 16384); }

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  const bp_cpu_view *x = &c->in[0];
  bp_row_walk rows = bp_row_walk_of(x, x);
  bp_row_walk results = {bp_walk_over(x->extent, x->rank - 1)}; // y has no last dimension: each of its elements is a row
  bp_walk_add(&results.over, &c->out[0]);
  bp_walk_merge(&results.over);
  for (uint64_t r = begin; r < end; r++) {
    int32_t at = (int32_t)bp_largest(bp_row(&rows, r), bp_last_stride(x), bp_last(x), x->dtype, 1);
    memcpy(bp_row(&results, r), &at, 4);
  }
}

const bp_cpu_kernel bp_cpu_argmax_scalar = {"argmax", "argmax_scalar", 0, 0, 0, 0, supports, plan, run};
