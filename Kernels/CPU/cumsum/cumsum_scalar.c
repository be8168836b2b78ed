// cumsum along any dimension, portable C: f32 f16 bf16 in double, i32 with wrapping; any stride; y may be x. An item is a line
// along the dimension.
#include "../move/move.h"

static int axis_of(const bp_cpu_call *c) { return bp_axis(bp_attr_int(c, BP_CUMSUM_AXIS, -1), c->in[0].rank); }

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[0].dtype != BP_FORMAT_I32 && !bp_wants_float(&c->in[0], 0, why)) return 0;
  if (axis_of(c) < 0) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->in[0].rank, bp_attr_int(c, BP_CUMSUM_AXIS, -1));
  return bp_same_format(c, why);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  uint64_t all = bp_elements(&c->in[0]), n = (uint64_t)c->in[0].extent[axis_of(c)];
  bp_plan_items(p, n ? all / n : 0, 8192 / (n ? n : 1));
}

typedef struct line_context { int64_t n, step_y, step_x; bp_id format; int exclusive; } line_context;

static void sum_line(char *y, const char *x, const line_context *l) {
  double sum = 0;
  uint32_t whole = 0;
  for (int64_t i = 0; i < l->n; i++, y += l->step_y, x += l->step_x) {
    if (l->format == BP_FORMAT_I32) {
      uint32_t element, before = whole;
      memcpy(&element, x, 4);
      whole += element;
      memcpy(y, l->exclusive ? &before : &whole, 4);
    } else {
      double before = sum;
      sum += bp_load_one(x, l->format);
      bp_store_one(y, l->format, (float)(l->exclusive ? before : sum));
    }
  }
}
static void lines_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  for (uint64_t i = 0; i < n; i++) sum_line(p[0] + (int64_t)i * step[0], p[1] + (int64_t)i * step[1], context);
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  int axis = axis_of(c);
  bp_cpu_view y = c->out[0], x = c->in[0];
  line_context l = {x.extent[axis], y.stride[axis], x.stride[axis], x.dtype, bp_attr_int(c, BP_CUMSUM_EXCLUSIVE, 0) == 1};
  if (bp_attr_int(c, BP_CUMSUM_REVERSE, 0) == 1) {
    y.data = (char *)y.data + (l.n - 1) * l.step_y, x.data = (char *)x.data + (l.n - 1) * l.step_x;
    l.step_y = -l.step_y, l.step_x = -l.step_x;
  }
  y.extent[axis] = x.extent[axis] = 1;
  bp_walk w = bp_walk_over(y.extent, y.rank);
  bp_walk_add(&w, &y);
  bp_walk_add(&w, &x);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, lines_run, &l);
}

const bp_cpu_kernel bp_cpu_cumsum_scalar = {"cumsum", "cumsum_scalar", 0, 0, 0, 0, supports, plan, run};
