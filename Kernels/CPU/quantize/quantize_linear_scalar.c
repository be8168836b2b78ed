// quantize_linear and dequantize_linear, portable C: any stride; scales and zero points repeat where their extents are 1.
#include "../shared/call.h"
#include "../shared/quantise.h"

static void quantize_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const bp_cpu_call *c = context;
  for (uint64_t i = 0; i < n; i++) {
    int64_t at = (int64_t)i;
    float x = bp_load_one(p[1] + at * step[1], c->in[0].dtype), scale = bp_load_one(p[2] + at * step[2], BP_FORMAT_F32);
    int32_t zero = c->in[2].dtype ? bp_load_small(p[3] + at * step[3], c->in[2].dtype) : 0;
    bp_store_quant(p[0] + at * step[0], c->out[0].dtype, x / scale, zero);
  }
}
static void dequantize_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const bp_cpu_call *c = context;
  for (uint64_t i = 0; i < n; i++) {
    int64_t at = (int64_t)i, x = bp_load_small(p[1] + at * step[1], c->in[0].dtype);
    float scale = bp_load_one(p[2] + at * step[2], BP_FORMAT_F32);
    if (c->in[2].dtype) x -= bp_load_small(p[3] + at * step[3], c->in[2].dtype);
    bp_store_one(p[0] + at * step[0], c->out[0].dtype, (float)((double)x * scale));
  }
}

static void run(const bp_cpu_call *c, uint64_t begin, uint64_t end, bp_run_fn f) {
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  for (uint32_t i = 0; i < 3; i++) bp_walk_add(&w, &c->in[i]);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, f, c);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 4096); }

static int scales(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[1].dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  bp_id zero = c->in[2].dtype;
  return zero == 0 || zero == BP_FORMAT_I32 || bp_is_small(zero) ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static int quantize_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !scales(c, why)) return 0;
  return bp_is_small(c->out[0].dtype) ? 1 : bp_refuse(why, BP_REASON_DTYPE, 3, 0, 0);
}
static int dequantize_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[0].dtype != BP_FORMAT_I32 && !bp_is_small(c->in[0].dtype)) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  return scales(c, why) && bp_wants_float(&c->out[0], 3, why);
}
static void quantize_linear_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, run(c, begin, end, quantize_run);
}
static void dequantize_linear_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, run(c, begin, end, dequantize_run);
}

const bp_cpu_kernel bp_cpu_quantize_linear_scalar = {"quantize_linear", "quantize_linear_scalar", 0, 0, 0, 0, quantize_supports, plan, quantize_linear_run};
const bp_cpu_kernel bp_cpu_dequantize_linear_scalar = {"dequantize_linear", "dequantize_linear_scalar", 0, 0, 0, 0, dequantize_supports, plan, dequantize_linear_run};
