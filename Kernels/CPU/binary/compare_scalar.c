// equal, less and greater with broadcasting, portable C: any stride, f32 f16 bf16 i32 i64. NaN compares false.
#include "../shared/call.h"

typedef enum relation { equal, less, greater } relation;
typedef struct compare_context { bp_id format; relation relation; } compare_context;

static int64_t load_whole(const char *p, bp_id format) {
  if (format == BP_FORMAT_I64) { int64_t x; memcpy(&x, p, 8); return x; }
  int32_t x;
  memcpy(&x, p, 4);
  return x;
}
static void compare_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const compare_context *m = context;
  for (uint64_t i = 0; i < n; i++) {
    const char *a = p[1] + (int64_t)i * step[1], *b = p[2] + (int64_t)i * step[2];
    int is_less, is_greater, is_equal;
    if (bp_is_float(m->format)) {
      float x = bp_load_one(a, m->format), y = bp_load_one(b, m->format);
      is_less = x < y, is_greater = x > y, is_equal = x == y;
    } else {
      int64_t x = load_whole(a, m->format), y = load_whole(b, m->format);
      is_less = x < y, is_greater = x > y, is_equal = x == y;
    }
    p[0][(int64_t)i * step[0]] = (char)(m->relation == equal ? is_equal : m->relation == less ? is_less : is_greater);
  }
}

static void compare(const bp_cpu_call *c, uint64_t begin, uint64_t end, relation relation) {
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_add(&w, &c->in[1]);
  bp_walk_merge(&w);
  compare_context m = {c->in[0].dtype, relation};
  bp_walk_run(&w, begin, end, compare_run, &m);
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  bp_id format = c->in[0].dtype;
  if (format != BP_FORMAT_I32 && format != BP_FORMAT_I64 && !bp_wants_float(&c->in[0], 0, why)) return 0;
  if (c->in[1].dtype != format) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return c->out[0].dtype == BP_FORMAT_BOOL ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 4096); }

#define COMPARE(name)                                                                                                     \
  static void name##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {           \
    (void)phase, (void)worker, compare(c, begin, end, name);                                                              \
  }                                                                                                                       \
  const bp_cpu_kernel bp_cpu_##name##_scalar = {#name, #name "_scalar", 0, 0, 0, 0, supports, plan, name##_run};

COMPARE(equal)
COMPARE(less)
COMPARE(greater)
