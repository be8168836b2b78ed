// slice along one dimension. Block formats: along the last dimension only whole blocks, without a step.
#include "move.h"

typedef struct cut { int axis; int64_t start, step; } cut;

static cut cut_of(const bp_cpu_call *c) {
  cut k = {bp_axis(bp_attr_int(c, BP_SLICE_AXIS, 0), c->in[0].rank), bp_attr_int(c, BP_SLICE_START, 0), bp_attr_int(c, BP_SLICE_STEP, 1)};
  if (k.axis < 0) return k;
  int64_t extent = c->in[0].extent[k.axis];
  if (k.start < 0) k.start += extent;
  k.start = k.start < 0 ? 0 : k.start > extent ? extent : k.start;
  return k;
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_same_format(c, why)) return 0;
  cut k = cut_of(c);
  if (k.axis < 0 || c->out[0].rank != c->in[0].rank) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->in[0].rank, bp_attr_int(c, BP_SLICE_AXIS, 0));
  if (k.step < 1) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, 1, k.step);
  int64_t block = c->in[0].block_elements;
  if (block > 1 && k.axis == (int)c->in[0].rank - 1 && (k.step != 1 || k.start % block || bp_last(&c->out[0]) % block))
    return bp_refuse(why, BP_REASON_DIM_MULTIPLE, 0, block, k.start);
  return 1;
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_units(p, &c->out[0]); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  cut k = cut_of(c);
  bp_cpu_view y = bp_in_units(&c->out[0]), x = bp_in_units(&c->in[0]);
  int64_t unit = k.axis == (int)x.rank - 1 ? c->in[0].block_elements : 1;
  x.data = (char *)x.data + k.start / unit * x.stride[k.axis];
  x.stride[k.axis] *= k.step;
  for (uint32_t i = 0; i < x.rank; i++) x.extent[i] = y.extent[i];
  bp_copy_view(&y, &x, begin, end);
}

const bp_cpu_kernel bp_cpu_slice_scalar = {"slice", "slice_scalar", 0, 0, 0, 0, supports, plan, run};
