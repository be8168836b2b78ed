// Functions of two float elements with a register's width, in f32: any stride, runs where the last dimension is dense or one value repeats;
// and the gate of a feed-forward layer, which is one of them. Included once an isa.
#include "../shared/float_rows.h"
#include "../shared/activations_vector.h"
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)
#define INLINE static inline __attribute__((always_inline))

enum { CHUNK = 256 }; // elements of f16 and bf16 widened at a time

INLINE void pair_run(char *const *p, const int64_t *step, uint64_t n, vf (*f)(vf, vf), const bp_id *format) {
  if (*format != BP_FORMAT_F32) {
    float first[CHUNK], second[CHUNK];
    for (int64_t i = 0; i < (int64_t)n; i += CHUNK) {
      int64_t count = (int64_t)n - i < CHUNK ? (int64_t)n - i : CHUNK;
      vf_widen(*format, p[1] + i * step[1], step[1], first, count);
      vf_widen(*format, p[2] + i * step[2], step[2], second, count);
      for (int64_t x = 0; x < count; x += LANES) vf_store(first + x, f(vf_load(first + x), vf_load(second + x)));
      vf_round(*format, first, p[0] + i * step[0], step[0], count);
    }
    return;
  }
  float *y = (float *)p[0];
  const float *a = (const float *)p[1], *b = (const float *)p[2];
  uint64_t i = 0;
  if (step[0] == 4 && step[1] == 4 && step[2] == 4) {
    for (; i + LANES <= n; i += LANES) vf_store(y + i, f(vf_load(a + i), vf_load(b + i)));
    if (i < n) vf_store_some(y + i, f(vf_load_some(a + i, (int64_t)(n - i)), vf_load_some(b + i, (int64_t)(n - i))), (int64_t)(n - i));
  } else if (step[0] == 4 && step[1] == 4 && step[2] == 0) {
    vf all = vf_of(*b);
    for (; i + LANES <= n; i += LANES) vf_store(y + i, f(vf_load(a + i), all));
    if (i < n) vf_store_some(y + i, f(vf_load_some(a + i, (int64_t)(n - i)), all), (int64_t)(n - i));
  } else {
    for (; i < n; i++)
      vf_store_some((float *)(p[0] + (int64_t)i * step[0]), f(vf_of(*(const float *)(p[1] + (int64_t)i * step[1])), vf_of(*(const float *)(p[2] + (int64_t)i * step[2]))), 1);
  }
}
static void pair(const bp_cpu_call *c, uint64_t begin, uint64_t end, bp_run_fn run) {
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_add(&w, &c->in[1]);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, run, &c->out[0].dtype);
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why)) return 0;
  if (c->in[1].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 32768); }
static void gate_plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 8192); }

INLINE vf swiglu_of(vf gate, vf up) { return vf_mul(vf_silu(gate), up); }
INLINE vf geglu_tanh_of(vf gate, vf up) { return vf_mul(vf_gelu_tanh(gate), up); }
INLINE vf geglu_erf_of(vf gate, vf up) { return vf_mul(vf_gelu_erf(gate), up); }
INLINE vf reglu_of(vf gate, vf up) { return vf_mul(vf_relu(gate), up); }

static void add_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, vf_add, k); }
static void sub_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, vf_sub, k); }
static void mul_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, vf_mul, k); }
static void div_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, vf_div, k); }
static void swiglu_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, swiglu_of, k); }
static void geglu_tanh_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, geglu_tanh_of, k); }
static void geglu_erf_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, geglu_erf_of, k); }
static void reglu_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { pair_run(p, step, n, reglu_of, k); }

static void add_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, pair(c, begin, end, add_elements);
}
static void sub_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, pair(c, begin, end, sub_elements);
}
static void mul_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, pair(c, begin, end, mul_elements);
}
static void div_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, pair(c, begin, end, div_elements);
}
static void gated_activation_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_run_fn run = bp_attr_is(c, BP_GATED_ACTIVATION_ACTIVATION, "geglu_tanh") ? geglu_tanh_elements
                  : bp_attr_is(c, BP_GATED_ACTIVATION_ACTIVATION, "geglu_erf") ? geglu_erf_elements
                  : bp_attr_is(c, BP_GATED_ACTIVATION_ACTIVATION, "reglu")     ? reglu_elements
                                                                               : swiglu_elements;
  pair(c, begin, end, run);
}
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_add_f32) = {"add", VARIANT_NAME("add_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, add_run};
const bp_cpu_kernel VARIANT(bp_cpu_sub_f32) = {"sub", VARIANT_NAME("sub_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, sub_run};
const bp_cpu_kernel VARIANT(bp_cpu_mul_f32) = {"mul", VARIANT_NAME("mul_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, mul_run};
const bp_cpu_kernel VARIANT(bp_cpu_div_f32) = {"div", VARIANT_NAME("div_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, div_run};
const bp_cpu_kernel VARIANT(bp_cpu_gated_activation_f32) = {"gated_activation", VARIANT_NAME("gated_activation_f32"), VARIANT_NEEDS, 0, 0, 0, supports, gate_plan, gated_activation_run};
