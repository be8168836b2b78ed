// Functions of one float element with a register's width, in f32: any stride, runs where the last dimension is dense. Included once an isa.
#include "../shared/float_rows.h"
#include "../shared/activations_vector.h"
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)

typedef struct parameters { vf a, b; bp_id format; } parameters; // of x and y

enum { CHUNK = 256 }; // elements of f16 and bf16 widened at a time

// Applies f to n floats; always inlined, so that f is too.
#define INLINE static inline __attribute__((always_inline))
INLINE void map_run(char *const *p, const int64_t *step, uint64_t n, vf (*f)(vf, const parameters *), const parameters *k) {
  if (k->format != BP_FORMAT_F32) {
    float some[CHUNK];
    for (int64_t i = 0; i < (int64_t)n; i += CHUNK) {
      int64_t count = (int64_t)n - i < CHUNK ? (int64_t)n - i : CHUNK;
      vf_widen(k->format, p[1] + i * step[1], step[1], some, count);
      for (int64_t x = 0; x < count; x += LANES) vf_store(some + x, f(vf_load(some + x), k));
      vf_round(k->format, some, p[0] + i * step[0], step[0], count);
    }
    return;
  }
  if (step[0] != 4 || step[1] != 4) {
    for (uint64_t i = 0; i < n; i++)
      vf_store_some((float *)(p[0] + (int64_t)i * step[0]), f(vf_load_some((const float *)(p[1] + (int64_t)i * step[1]), 1), k), 1);
    return;
  }
  float *y = (float *)p[0];
  const float *x = (const float *)p[1];
  uint64_t i = 0;
  for (; i + LANES <= n; i += LANES) vf_store(y + i, f(vf_load(x + i), k));
  if (i < n) vf_store_some(y + i, f(vf_load_some(x + i, (int64_t)(n - i)), k), (int64_t)(n - i));
}
static void map(const bp_cpu_call *c, uint64_t begin, uint64_t end, bp_run_fn run, float a, float b) {
  parameters k = {vf_of(a), vf_of(b), c->in[0].dtype};
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, run, &k);
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why)) return 0;
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
}
// An offset that f32 cannot hold would be rounded before it is added.
static int scale_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  double offset = bp_attr_float(c, BP_SCALE_OFFSET, 0);
  return (double)(float)offset == offset ? supports(c, why) : bp_refuse(why, BP_REASON_ATTRIBUTE, 0, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 16384); }

INLINE vf scale_of(vf x, const parameters *k) { return vf_fma(x, k->a, k->b); }
INLINE vf softcap_of(vf x, const parameters *k) { return vf_mul(k->a, vf_tanh(vf_div(x, k->a))); }
INLINE vf gelu_tanh_of(vf x, const parameters *k) { (void)k; return vf_gelu_tanh(x); }
INLINE vf gelu_erf_of(vf x, const parameters *k) { (void)k; return vf_gelu_erf(x); }
INLINE vf silu_of(vf x, const parameters *k) { (void)k; return vf_silu(x); }
INLINE vf exp_of(vf x, const parameters *k) { (void)k; return vf_exp(x); }
INLINE vf tanh_of(vf x, const parameters *k) { (void)k; return vf_tanh(x); }
INLINE vf erf_of(vf x, const parameters *k) { (void)k; return vf_erf(x); }
INLINE vf sigmoid_of(vf x, const parameters *k) { (void)k; return vf_sigmoid(x); }

static void scale_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, scale_of, k); }
static void softcap_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, softcap_of, k); }
static void gelu_tanh_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, gelu_tanh_of, k); }
static void gelu_erf_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, gelu_erf_of, k); }
static void silu_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, silu_of, k); }
static void exp_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, exp_of, k); }
static void tanh_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, tanh_of, k); }
static void erf_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, erf_of, k); }
static void sigmoid_elements(char *const *p, const int64_t *step, uint64_t n, const void *k) { map_run(p, step, n, sigmoid_of, k); }

static void scale_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  map(c, begin, end, scale_elements, (float)bp_attr_float(c, BP_SCALE_FACTOR, 1), (float)bp_attr_float(c, BP_SCALE_OFFSET, 0));
}
static void softcap_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  map(c, begin, end, softcap_elements, (float)bp_attr_float(c, BP_SOFTCAP_CAP, 30), 0);
}
static void gelu_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  map(c, begin, end, bp_attr_is(c, BP_GELU_APPROXIMATE, "tanh") ? gelu_tanh_elements : gelu_erf_elements, 0, 0);
}
static void silu_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, map(c, begin, end, silu_elements, 0, 0);
}
static void exp_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, map(c, begin, end, exp_elements, 0, 0);
}
static void tanh_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, map(c, begin, end, tanh_elements, 0, 0);
}
static void erf_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, map(c, begin, end, erf_elements, 0, 0);
}
static void sigmoid_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, map(c, begin, end, sigmoid_elements, 0, 0);
}
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_scale_f32) = {"scale", VARIANT_NAME("scale_f32"), VARIANT_NEEDS, 0, 0, 0, scale_supports, plan, scale_run};
const bp_cpu_kernel VARIANT(bp_cpu_softcap_f32) = {"softcap", VARIANT_NAME("softcap_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, softcap_run};
const bp_cpu_kernel VARIANT(bp_cpu_gelu_f32) = {"gelu", VARIANT_NAME("gelu_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, gelu_run};
const bp_cpu_kernel VARIANT(bp_cpu_silu_f32) = {"silu", VARIANT_NAME("silu_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, silu_run};
const bp_cpu_kernel VARIANT(bp_cpu_exp_f32) = {"exp", VARIANT_NAME("exp_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, exp_run};
const bp_cpu_kernel VARIANT(bp_cpu_tanh_f32) = {"tanh", VARIANT_NAME("tanh_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, tanh_run};
const bp_cpu_kernel VARIANT(bp_cpu_erf_f32) = {"erf", VARIANT_NAME("erf_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, erf_run};
const bp_cpu_kernel VARIANT(bp_cpu_sigmoid_f32) = {"sigmoid", VARIANT_NAME("sigmoid_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, sigmoid_run};
