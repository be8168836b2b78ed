// transpose: y's dimension i is x's dimension permutation[i]. Plain formats, any stride.
#include "move.h"

// x with its dimensions in y's order; 0 when the permutation is none.
static int permuted(const bp_cpu_call *c, bp_cpu_view *x) {
  uint32_t count, rank = c->in[0].rank, seen = 0;
  const int64_t *order = bp_attr_ints(c, BP_TRANSPOSE_PERMUTATION, &count);
  *x = c->in[0];
  if ((count && count != rank) || c->out[0].rank != rank) return 0;
  for (uint32_t i = 0; i < rank; i++) {
    int from = bp_axis(count ? order[i] : (int64_t)rank - 1 - i, rank);
    if (from < 0) return 0;
    seen |= 1u << from;
    x->extent[i] = c->in[0].extent[from];
    x->stride[i] = c->in[0].stride[from];
  }
  return seen == (1u << rank) - 1;
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  bp_cpu_view x;
  if (!bp_same_format(c, why)) return 0;
  if (c->in[0].block_elements > 1) return bp_refuse(why, BP_REASON_DTYPE, 0, 1, c->in[0].block_elements);
  return permuted(c, &x) ? 1 : bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->in[0].rank, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_units(p, &c->out[0]); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_cpu_view x;
  permuted(c, &x);
  bp_copy_view(&c->out[0], &x, begin, end);
}

const bp_cpu_kernel bp_cpu_transpose_scalar = {"transpose", "transpose_scalar", 0, 0, 0, 0, supports, plan, run};
