// Functions of one element, portable C: any stride, f32 f16 bf16. Computed in double, rounded once to f32.
#include <float.h>
#include "../shared/activations.h"
#include "../shared/call.h"

// What a function may depend on beside x: up to two attributes.
typedef struct parameters { double a, b; } parameters;
typedef double (*unary_fn)(double x, const parameters *p);

typedef struct map_context { bp_id format; unary_fn f; parameters p; } map_context;

static void map_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const map_context *m = context;
  float tile[BP_TILE];
  for (uint64_t at = 0; at < n; at += BP_TILE) {
    uint64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(tile, p[1] + (int64_t)at * step[1], step[1], count, m->format);
    for (uint64_t i = 0; i < count; i++) tile[i] = (float)m->f(tile[i], &m->p);
    bp_store_run(p[0] + (int64_t)at * step[0], step[0], tile, count, m->format);
  }
}

static void map(const bp_cpu_call *c, uint64_t begin, uint64_t end, unary_fn f, parameters p) {
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_merge(&w);
  map_context m = {c->in[0].dtype, f, p};
  bp_walk_run(&w, begin, end, map_run, &m);
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why)) return 0;
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, c->n_in, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 2048); }

static double abs_of(double x, const parameters *p) { (void)p; return fabs(x); }
static double neg_of(double x, const parameters *p) { (void)p; return -x; }
static double relu_of(double x, const parameters *p) { (void)p; return bp_relu(x); }
static double square_of(double x, const parameters *p) { (void)p; return x * x; }
static double sqrt_of(double x, const parameters *p) { (void)p; return sqrt(x); }
static double rsqrt_of(double x, const parameters *p) { (void)p; return 1 / sqrt(x); }
static double reciprocal_of(double x, const parameters *p) { (void)p; return 1 / x; }
static double exp_of(double x, const parameters *p) { (void)p; return exp(x); }
static double log_of(double x, const parameters *p) { (void)p; return log(x); }
static double sin_of(double x, const parameters *p) { (void)p; return sin(x); }
static double cos_of(double x, const parameters *p) { (void)p; return cos(x); }
static double tanh_of(double x, const parameters *p) { (void)p; return tanh(x); }
static double erf_of(double x, const parameters *p) { (void)p; return erf(x); }
static double sigmoid_of(double x, const parameters *p) { (void)p; return bp_sigmoid(x); }
static double silu_of(double x, const parameters *p) { (void)p; return bp_silu(x); }
static double softplus_of(double x, const parameters *p) { (void)p; return bp_softplus(x); }
static double gelu_of(double x, const parameters *p) { return p->a != 0 ? bp_gelu_tanh(x) : bp_gelu_erf(x); }
static double scale_of(double x, const parameters *p) { return x * p->a + p->b; }
static double softcap_of(double x, const parameters *p) { return p->a * tanh(x / p->a); }
static double clip_of(double x, const parameters *p) { return x != x ? x : fmin(fmax(x, p->a), p->b); }

static double floor_of(double x, const parameters *p) { (void)p; return floor(x); }
static double ceil_of(double x, const parameters *p) { (void)p; return ceil(x); }
static double round_of(double x, const parameters *p) { (void)p; return rint(x); }
static double sign_of(double x, const parameters *p) { (void)p; return x > 0 ? 1 : x < 0 ? -1 : x; }
static double elu_of(double x, const parameters *p) { return x < 0 ? p->a * expm1(x) : x; }
static double leaky_relu_of(double x, const parameters *p) { return x < 0 ? p->a * x : x; }
static double relu_squared_of(double x, const parameters *p) { (void)p; double y = bp_relu(x); return y * y; }
static double unit_of(double x) { return x != x ? x : fmin(fmax(x, 0), 1); }
static double hardsigmoid_of(double x, const parameters *p) { return unit_of(p->a * x + p->b); }
// x = -infinity: 0 times infinity would be NaN, the limit is 0.
static double hardswish_of(double x, const parameters *p) { (void)p; return x <= -3 ? 0 : x * unit_of(x / 6 + 0.5); }
static double gelu_quick_of(double x, const parameters *p) { (void)p; return x / (1 + exp(-1.702 * x)); }

static parameters none(const bp_cpu_call *c) { (void)c; return (parameters){0, 0}; }
static parameters of_gelu(const bp_cpu_call *c) { return (parameters){bp_attr_is(c, BP_GELU_APPROXIMATE, "tanh"), 0}; }
static parameters of_scale(const bp_cpu_call *c) { return (parameters){bp_attr_float(c, BP_SCALE_FACTOR, 1), bp_attr_float(c, BP_SCALE_OFFSET, 0)}; }
static parameters of_softcap(const bp_cpu_call *c) { return (parameters){bp_attr_float(c, BP_SOFTCAP_CAP, 30), 0}; }
static parameters of_clip(const bp_cpu_call *c) { return (parameters){bp_attr_float(c, BP_CLIP_MINIMUM, -(double)FLT_MAX), bp_attr_float(c, BP_CLIP_MAXIMUM, FLT_MAX)}; }

static parameters of_elu(const bp_cpu_call *c) { return (parameters){bp_attr_float(c, BP_ELU_ALPHA, 1), 0}; }
static parameters of_leaky_relu(const bp_cpu_call *c) { return (parameters){(float)bp_attr_float(c, BP_LEAKY_RELU_ALPHA, 0.01), 0}; }
static parameters of_hardsigmoid(const bp_cpu_call *c) {
  return (parameters){(float)bp_attr_float(c, BP_HARDSIGMOID_ALPHA, 0.2), (float)bp_attr_float(c, BP_HARDSIGMOID_BETA, 0.5)};
}

// The table entry of `name`, and the call of map() that belongs to it.
#define UNARY(name, of)                                                                                                   \
  static void name##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {           \
    (void)phase, (void)worker, map(c, begin, end, name##_of, of(c));                                                      \
  }                                                                                                                       \
  const bp_cpu_kernel bp_cpu_##name##_scalar = {#name, #name "_scalar", 0, 0, 0, 0, supports, plan, name##_run};

UNARY(abs, none)
UNARY(neg, none)
UNARY(relu, none)
UNARY(square, none)
UNARY(sqrt, none)
UNARY(rsqrt, none)
UNARY(reciprocal, none)
UNARY(exp, none)
UNARY(log, none)
UNARY(sin, none)
UNARY(cos, none)
UNARY(tanh, none)
UNARY(erf, none)
UNARY(sigmoid, none)
UNARY(silu, none)
UNARY(softplus, none)
UNARY(gelu, of_gelu)
UNARY(scale, of_scale)
UNARY(softcap, of_softcap)
UNARY(clip, of_clip)
UNARY(floor, none)
UNARY(ceil, none)
UNARY(round, none)
UNARY(sign, none)
UNARY(elu, of_elu)
UNARY(leaky_relu, of_leaky_relu)
UNARY(relu_squared, none)
UNARY(hardsigmoid, of_hardsigmoid)
UNARY(hardswish, none)
UNARY(gelu_quick, none)
