// softmax(scale x + mask) of float rows with a register's width, in f32; y may be x. Included once an isa.
//
// Three passes: the largest score, exponentials and their sum, division. A NaN or +infinity makes the sum NaN, and
// with it the row.
#include "../shared/float_rows.h"
#define BP_FNV static inline __attribute__((always_inline, target(VECTOR_TARGET)))
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)

enum { TOGETHER = 4 }; // registers whose maxima and sums go on side by side

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[0].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, 0, 0, 0);
  if (!bp_wants_dense_float(&c->in[0], 0, why) || !bp_wants_dense_f32(&c->in[1], 1, why)) return 0;
  if (c->in[1].dtype && c->in[1].rank > c->in[0].rank) return bp_refuse(why, BP_REASON_RANK, 1, c->in[0].rank, c->in[1].rank);
  return c->out[0].dtype == c->in[0].dtype ? bp_wants_dense_float(&c->out[0], c->n_in, why) : bp_refuse(why, BP_REASON_DTYPE, c->n_in, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_float_rows(c, p, 8192, 1); }

BP_FNV vf part(const float *p, int64_t i, int64_t n) { return i + LANES <= n ? vf_load(p + i) : vf_load_some(p + i, n - i); }
BP_FNV void put(float *p, int64_t i, int64_t n, vf x) { if (i + LANES <= n) vf_store(p + i, x); else vf_store_some(p + i, x, n - i); }

// scale x + mask of LANES elements from i on, the first n of the row.
BP_FNV vf score(const float *x, const float *mask, vf scale, int64_t i, int64_t n) {
  vf z = vf_mul(part(x, i, n), scale);
  return mask ? vf_add(z, part(mask, i, n)) : z;
}

// Scores are computed twice rather than kept: a load less than that they would be stored.
BP_FNV void softmax_row(float *y, const float *x, const float *mask, float factor, int64_t n) {
  const vf scale = vf_of(factor), least = vf_of(-INFINITY), zero = vf_of(0);
  const int64_t wide = n / (TOGETHER * LANES) * (TOGETHER * LANES);
  vf top[TOGETHER], sum[TOGETHER];
  for (int j = 0; j < TOGETHER; j++) top[j] = least, sum[j] = zero;
  for (int64_t i = 0; i < wide; i += TOGETHER * LANES)
    for (int j = 0; j < TOGETHER; j++) top[j] = vf_max(score(x, mask, scale, i + j * LANES, wide), top[j]);
  for (int64_t i = wide; i < n; i += LANES) {
    vf z = score(x, mask, scale, i, n);
    top[0] = vf_max(i + LANES <= n ? z : vf_first(z, least, n - i), top[0]);
  }
  for (int j = 1; j < TOGETHER; j++) top[0] = vf_max(top[j], top[0]);
  float largest = vf_largest(top[0]);
  vf m = largest == -INFINITY ? zero : vf_of(largest); // all -infinity: exponentials are 0 (or NaN where a score is)
  for (int64_t i = 0; i < wide; i += TOGETHER * LANES)
    for (int j = 0; j < TOGETHER; j++) {
      for (int l = 0; l < LANES * 4; l += 64) { // the next row's, while there is arithmetic to do
        __builtin_prefetch(x + n + i + j * LANES + l / 4, 0, 2);
        __builtin_prefetch(y + n + i + j * LANES + l / 4, 1, 2);
      }
      vf e = vf_exp(vf_sub(score(x, mask, scale, i + j * LANES, wide), m));
      vf_store(y + i + j * LANES, e);
      sum[j] = vf_add(sum[j], e);
    }
  for (int64_t i = wide; i < n; i += LANES) {
    vf e = vf_exp(vf_sub(score(x, mask, scale, i, n), m));
    put(y, i, n, e);
    sum[0] = vf_add(sum[0], i + LANES <= n ? e : vf_first(e, zero, n - i));
  }
  for (int j = 1; j < TOGETHER; j++) sum[0] = vf_add(sum[0], sum[j]);
  float total = vf_sum(sum[0]);
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
    if (mask->dtype) softmax_row(to, from, (const float *)bp_row(&rows_m, r), scale, n);
    else softmax_row(to, from, 0, scale, n);
    if (x->dtype != BP_FORMAT_F32) VARIANT(bp_encode)(x->dtype, to, y, n);
  }
}
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_softmax_f32) = {"softmax", VARIANT_NAME("softmax_f32"), VARIANT_NEEDS, 0, 0, 0, supports, plan, run};
