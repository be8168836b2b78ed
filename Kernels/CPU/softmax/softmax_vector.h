// softmax(scale x + mask) of float rows with a register's width, in f32; y may be x. Included once an isa.
//
// Three passes over y: scores and their maximum, exponentials and their sum, division. A NaN or +infinity makes the sum NaN, and
// with it the row.
#include "../shared/float_rows.h"
#define BP_FNV static inline __attribute__((always_inline, target(VECTOR_TARGET)))
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[0].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, 0, 0, 0);
  if (!bp_wants_dense_float(&c->in[0], 0, why) || !bp_wants_dense_f32(&c->in[1], 1, why)) return 0;
  if (c->in[1].dtype && c->in[1].rank > c->in[0].rank) return bp_refuse(why, BP_REASON_RANK, 1, c->in[0].rank, c->in[1].rank);
  return c->out[0].dtype == c->in[0].dtype ? bp_wants_dense_float(&c->out[0], c->n_in, why) : bp_refuse(why, BP_REASON_DTYPE, c->n_in, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_float_rows(c, p, 8192, 1); }

BP_FNV vf part(const float *p, int64_t i, int64_t n) { return i + LANES <= n ? vf_load(p + i) : vf_load_some(p + i, n - i); }
BP_FNV void put(float *p, int64_t i, int64_t n, vf x) { if (i + LANES <= n) vf_store(p + i, x); else vf_store_some(p + i, x, n - i); }

static void softmax_row(float *y, const float *x, const float *mask, float scale, int64_t n) {
  vf s = vf_of(scale), least = vf_of(-INFINITY), top = least, sum = vf_of(0), zero = sum;
  for (int64_t i = 0; i < n; i += LANES) {
    vf z = vf_mul(part(x, i, n), s);
    if (mask) z = vf_add(z, part(mask, i, n));
    put(y, i, n, z);
    top = vf_max(i + LANES <= n ? z : vf_first(z, least, n - i), top);
  }
  vf m = vf_of(vf_largest(top));
  if (vf_largest(top) == -INFINITY) m = zero; // all -infinity: exponentials are 0 (or NaN where a score is)
  for (int64_t i = 0; i < n; i += LANES) {
    vf e = vf_exp(vf_sub(part(y, i, n), m));
    put(y, i, n, e);
    sum = vf_add(sum, i + LANES <= n ? e : vf_first(e, zero, n - i));
  }
  float total = vf_sum(sum);
  vf f = vf_of(total == 0 ? 0 : 1 / total);
  for (int64_t i = 0; i < n; i += LANES) put(y, i, n, vf_mul(part(y, i, n), f));
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  const bp_cpu_view *x = &c->in[0], *mask = &c->in[1];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_m = bp_row_walk_of(x, mask), rows_y = bp_row_walk_of(x, &c->out[0]);
  float scale = (float)bp_attr_float(c, BP_SOFTMAX_SCALE, 1);
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    char *y = bp_row(&rows_y, r);
    const float *from = bp_row_floats(x, bp_row(&rows_x, r), bp_row_buffer(c, worker, 1, 0), n);
    float *to = x->dtype == BP_FORMAT_F32 ? (float *)y : bp_row_buffer(c, worker, 1, 0);
    softmax_row(to, from, mask->dtype ? (const float *)bp_row(&rows_m, r) : 0, scale, n);
    if (x->dtype != BP_FORMAT_F32) VARIANT(bp_encode)(x->dtype, to, y, n);
  }
}
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_softmax_f32) = {"softmax", VARIANT_NAME("softmax_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, run};
