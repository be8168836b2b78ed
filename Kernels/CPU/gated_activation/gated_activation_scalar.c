// y = act(gate) * up, portable C: any stride, f32 f16 bf16; y may be gate.
#include "../shared/activations.h"
#include "../shared/call.h"

typedef struct gate_context { bp_id format; double (*act)(double); } gate_context;

static void gate_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const gate_context *m = context;
  float gate[BP_TILE], up[BP_TILE];
  for (uint64_t at = 0; at < n; at += BP_TILE) {
    uint64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(gate, p[1] + (int64_t)at * step[1], step[1], count, m->format);
    bp_load_run(up, p[2] + (int64_t)at * step[2], step[2], count, m->format);
    for (uint64_t i = 0; i < count; i++) gate[i] = (float)(m->act(gate[i]) * up[i]);
    bp_store_run(p[0] + (int64_t)at * step[0], step[0], gate, count, m->format);
  }
}

static double (*activation(const bp_cpu_call *c))(double) {
  if (bp_attr_is(c, BP_GATED_ACTIVATION_ACTIVATION, "geglu_tanh")) return bp_gelu_tanh;
  if (bp_attr_is(c, BP_GATED_ACTIVATION_ACTIVATION, "geglu_erf")) return bp_gelu_erf;
  if (bp_attr_is(c, BP_GATED_ACTIVATION_ACTIVATION, "reglu")) return bp_relu;
  return bp_silu;
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_add(&w, &c->in[1]);
  bp_walk_merge(&w);
  gate_context m = {c->out[0].dtype, activation(c)};
  bp_walk_run(&w, begin, end, gate_run, &m);
}
static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why)) return 0;
  if (c->in[1].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 1024); }

const bp_cpu_kernel bp_cpu_gated_activation_scalar = {"gated_activation", "gated_activation_scalar", 0, 0, 0, 0, supports, plan, run};
