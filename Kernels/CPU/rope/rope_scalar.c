// rotary_embedding and rms_norm_rope, portable C: f32 f16 bf16, any stride; statistics in double; y may be x.
#include "rope.h"

// The norm's factor of one head; 1 without a norm.
static double head_factor(const rope *r, const char *x, int64_t step, int64_t n) {
  if (!r->norm) return 1;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double v = bp_load_one(x + i * step, r->x->dtype);
    sum += v * v;
  }
  return 1 / sqrt(sum / (double)n + r->epsilon);
}
static double element(const rope *r, const char *x, int64_t step, int64_t i, double factor) {
  double v = bp_load_one(x + i * step, r->x->dtype) * factor;
  if (!r->norm) return v;
  if (r->weight->dtype == 0) return v * (1 + r->offset);
  return v * ((double)bp_load_one((const char *)r->weight->data + i * r->weight->stride[0], BP_FORMAT_F32) + r->offset);
}

static void rotate(const rope *r, char *y, const char *x, const float *table) {
  int64_t n = bp_last(r->x), pairs = r->frequencies->extent[0], sx = bp_last_stride(r->x), sy = bp_last_stride(r->y);
  double factor = head_factor(r, x, sx, n);
  for (int64_t i = 0; i < pairs; i++) {
    int64_t a = r->interleaved ? 2 * i : i, b = r->interleaved ? a + 1 : a + pairs;
    double x1 = element(r, x, sx, a, factor), x2 = element(r, x, sx, b, factor), cosine = table[i], sine = table[pairs + i];
    bp_store_one(y + a * sy, r->y->dtype, (float)(r->scale * (x1 * cosine - x2 * sine)));
    bp_store_one(y + b * sy, r->y->dtype, (float)(r->scale * (x1 * sine + x2 * cosine)));
  }
  for (int64_t i = 2 * pairs; i < n; i++) bp_store_one(y + i * sy, r->y->dtype, (float)element(r, x, sx, i, factor));
}

static void run(const bp_cpu_call *c, int norm, uint32_t phase, uint64_t begin, uint64_t end) {
  rope r = rope_of(c, norm);
  if (phase == 0) { rope_table(&r, c->scratch, begin, end); return; }
  uint64_t heads = (uint64_t)r.x->extent[r.x->rank - 2], tokens = (uint64_t)r.positions->extent[0];
  int64_t pairs = r.frequencies->extent[0];
  bp_row_walk rows_x = bp_row_walk_of(r.x, r.x), rows_y = bp_row_walk_of(r.x, r.y);
  for (uint64_t h = begin; h < end; h++)
    rotate(&r, bp_row(&rows_y, h), bp_row(&rows_x, h), (const float *)c->scratch + (int64_t)(h / heads % tokens) * pairs * 2);
}

static int rotary_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return rope_supports(c, 0, why); }
static void rotary_plan(const bp_cpu_call *c, bp_cpu_plan *p) { rope_plan(c, 0, p); }
static void rotary_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { (void)worker, run(c, 0, phase, begin, end); }
static int norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return rope_supports(c, 1, why); }
static void norm_plan(const bp_cpu_call *c, bp_cpu_plan *p) { rope_plan(c, 1, p); }
static void norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { (void)worker, run(c, 1, phase, begin, end); }

const bp_cpu_kernel bp_cpu_rotary_embedding_scalar = {"rotary_embedding", "rotary_embedding_scalar", 0, 0, 0, 0, rotary_supports, rotary_plan, rotary_run};
const bp_cpu_kernel bp_cpu_rms_norm_rope_scalar = {"rms_norm_rope", "rms_norm_rope_scalar", 0, 0, 0, 0, norm_supports, norm_plan, norm_run};
