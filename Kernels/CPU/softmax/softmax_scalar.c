// softmax(scale x + mask) along the last dimension, portable C: f32 f16 bf16, any stride, in double; y may be x.
#include "../shared/call.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 1, 0, why)) return 0;
  if (c->in[1].dtype && c->in[1].dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  if (c->in[1].dtype && (c->in[1].rank < 1 || c->in[1].rank > c->in[0].rank)) return bp_refuse(why, BP_REASON_RANK, 1, c->in[0].rank, c->in[1].rank);
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, c->n_in, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_rows(p, &c->in[0], 1024); }

typedef struct row { const char *x, *mask; int64_t x_step, mask_step; bp_id format; double scale; } row;

static double score(const row *r, int64_t i) {
  double z = r->scale * bp_load_one(r->x + i * r->x_step, r->format);
  return r->mask ? z + bp_load_one(r->mask + i * r->mask_step, BP_FORMAT_F32) : z;
}

static void softmax_row(const row *r, char *y, int64_t y_step, int64_t n) {
  double top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double z = score(r, i);
    if (!(z <= top)) top = z;
    if (z != z) break;
  }
  for (int64_t i = 0; i < n && top != -INFINITY; i++) sum += exp(score(r, i) - top);
  for (int64_t i = 0; i < n; i++)
    bp_store_one(y + i * y_step, r->format, top == -INFINITY ? 0 : (float)(exp(score(r, i) - top) / sum));
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  const bp_cpu_view *x = &c->in[0], *mask = &c->in[1], *y = &c->out[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_m = bp_row_walk_of(x, mask), rows_y = bp_row_walk_of(x, y);
  for (uint64_t i = begin; i < end; i++) {
    row r = {bp_row(&rows_x, i), mask->dtype ? bp_row(&rows_m, i) : 0, bp_last_stride(x), bp_last_stride(mask), x->dtype, bp_attr_float(c, BP_SOFTMAX_SCALE, 1)};
    softmax_row(&r, bp_row(&rows_y, i), bp_last_stride(y), bp_last(x));
  }
}

const bp_cpu_kernel bp_cpu_softmax_scalar = {"softmax", "softmax_scalar", 0, 0, 0, 0, supports, plan, run};
