// Functions of two elements with broadcasting, portable C: any stride, f32 f16 bf16 in float, i32 with wrapping.
#include "../shared/call.h"

typedef float (*float_fn)(float, float);
typedef int32_t (*int_fn)(int32_t, int32_t);
typedef struct pair_context { bp_id format; float_fn f; int_fn g; } pair_context;

static void float_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const pair_context *m = context;
  float a[BP_TILE], b[BP_TILE];
  for (uint64_t at = 0; at < n; at += BP_TILE) {
    uint64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(a, p[1] + (int64_t)at * step[1], step[1], count, m->format);
    bp_load_run(b, p[2] + (int64_t)at * step[2], step[2], count, m->format);
    for (uint64_t i = 0; i < count; i++) a[i] = m->f(a[i], b[i]);
    bp_store_run(p[0] + (int64_t)at * step[0], step[0], a, count, m->format);
  }
}
static void int_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const pair_context *m = context;
  for (uint64_t i = 0; i < n; i++) {
    int32_t a, b, y;
    memcpy(&a, p[1] + (int64_t)i * step[1], 4);
    memcpy(&b, p[2] + (int64_t)i * step[2], 4);
    y = m->g(a, b);
    memcpy(p[0] + (int64_t)i * step[0], &y, 4);
  }
}

static void pair(const bp_cpu_call *c, uint64_t begin, uint64_t end, float_fn f, int_fn g) {
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_add(&w, &c->in[1]);
  bp_walk_merge(&w);
  pair_context m = {c->out[0].dtype, f, g};
  bp_walk_run(&w, begin, end, m.format == BP_FORMAT_I32 ? int_run : float_run, &m);
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  bp_id format = c->in[0].dtype;
  if (format != BP_FORMAT_I32 && !bp_wants_float(&c->in[0], 0, why)) return 0;
  if (c->in[1].dtype != format) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return c->out[0].dtype == format ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 4096); }

static float add_f(float a, float b) { return a + b; }
static float sub_f(float a, float b) { return a - b; }
static float mul_f(float a, float b) { return a * b; }
static float div_f(float a, float b) { return a / b; }
static float max_f(float a, float b) { return a != a || a > b ? a : b; }
static float min_f(float a, float b) { return a != a || a < b ? a : b; }
static int32_t add_i(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static int32_t sub_i(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static int32_t mul_i(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static int32_t div_i(int32_t a, int32_t b) { return b == 0 ? 0 : b == -1 ? sub_i(0, a) : a / b; }
static int32_t max_i(int32_t a, int32_t b) { return a > b ? a : b; }
static int32_t min_i(int32_t a, int32_t b) { return a < b ? a : b; }

// Of two correctly rounded steps: double's pow, then f32.
static float pow_f(float a, float b) { return (float)pow(a, b); }
static int pow_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_wants_float(&c->in[0], 0, why) && supports(c, why); }
static void pow_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker, pair(c, begin, end, pow_f, 0);
}
const bp_cpu_kernel bp_cpu_pow_scalar = {"pow", "pow_scalar", 0, 0, 0, 0, pow_supports, plan, pow_run};

#define BINARY(name)                                                                                                      \
  static void name##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {           \
    (void)phase, (void)worker, pair(c, begin, end, name##_f, name##_i);                                                   \
  }                                                                                                                       \
  const bp_cpu_kernel bp_cpu_##name##_scalar = {#name, #name "_scalar", 0, 0, 0, 0, supports, plan, name##_run};

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(max)
BINARY(min)
