// concat along one dimension: items are the operands' units, one operand after the other.
#include "move.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_same_format(c, why)) return 0;
  int axis = bp_axis(bp_attr_int(c, BP_CONCAT_AXIS, 0), c->out[0].rank);
  if (axis < 0) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->out[0].rank, bp_attr_int(c, BP_CONCAT_AXIS, 0));
  for (uint32_t i = 0; i < c->n_in; i++) {
    if (c->in[i].dtype != c->out[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, i, 0, 0);
    if (c->in[i].rank != c->out[0].rank) return bp_refuse(why, BP_REASON_RANK, i, c->out[0].rank, c->in[i].rank);
    if (axis == (int)c->out[0].rank - 1 && c->in[i].extent[axis] % c->in[i].block_elements)
      return bp_refuse(why, BP_REASON_DIM_MULTIPLE, i, c->in[i].block_elements, c->in[i].extent[axis]);
  }
  return 1;
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_units(p, &c->out[0]); }

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_cpu_view part = bp_in_units(&c->out[0]);
  int axis = bp_axis(bp_attr_int(c, BP_CONCAT_AXIS, 0), part.rank);
  uint64_t first = 0;
  for (uint32_t i = 0; i < c->n_in && first < end; i++) {
    bp_cpu_view x = bp_in_units(&c->in[i]);
    uint64_t count = bp_elements(&x);
    part.extent[axis] = x.extent[axis];
    uint64_t from = begin > first ? begin - first : 0, to = end - first < count ? end - first : count;
    if (from < to) bp_copy_view(&part, &x, from, to);
    part.data = (char *)part.data + x.extent[axis] * part.stride[axis];
    first += count;
  }
}

const bp_cpu_kernel bp_cpu_concat_scalar = {"concat", "concat_scalar", 0, 0, 0, 0, supports, plan, run};
