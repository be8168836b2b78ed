// rotary_embedding and rms_norm_rope of float heads with a register's width, in f32: pairs (i, i + F), or (2 i, 2 i + 1) where they are interleaved; y may be x. Included once an isa.
#include "../shared/float_rows.h"
#include "rope.h"
#define BP_FNV static inline __attribute__((always_inline, target(VECTOR_TARGET)))
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)

static int dense(const bp_cpu_call *c, int norm, bp_cpu_refusal *why) {
  if (!rope_supports(c, norm, why)) return 0;
  if (norm && !bp_wants_dense_f32(&c->in[1], 1, why)) return 0;
  return bp_wants_dense_float(&c->in[0], 0, why) && bp_wants_dense_float(&c->out[0], c->n_in, why);
}

BP_FNV vf part(const float *p, int64_t i, int64_t n) { return i + LANES <= n ? vf_load(p + i) : vf_load_some(p + i, n - i); }
BP_FNV void put(float *p, int64_t i, int64_t n, vf x) { if (i + LANES <= n) vf_store(p + i, x); else vf_store_some(p + i, x, n - i); }

// The norm's factor of one head; 1 without a norm.
static float head_factor(const rope *r, const float *x, int64_t n) {
  if (!r->norm) return 1;
  vf sum = vf_of(0);
  for (int64_t i = 0; i < n; i += LANES) {
    vf v = part(x, i, n);
    sum = vf_fma(v, v, sum);
  }
  double factor = 1 / sqrt((double)vf_sum(sum) / (double)n + r->epsilon);
  return (float)(r->weight->dtype ? factor : factor * (1 + r->offset));
}
// Elements [at + i, …) of a head after the norm; `end` is where they stop.
BP_FNV vf element(const float *x, const float *weight, vf offset, vf factor, int64_t i, int64_t end) {
  vf v = vf_mul(part(x, i, end), factor);
  return weight ? vf_mul(v, vf_add(part(weight, i, end), offset)) : v;
}

// Pairs side by side: each element times the cosine, the other one of its pair times the sine, less or more.
BP_FNV void rotate_interleaved(float *y, const float *x, const float *weight, const float *table, int64_t pairs, vf offset, vf factor, vf scale) {
  static const float signs[16] = {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1};
  const vf signed_scale = vf_mul(vf_load(signs), scale);
  for (int64_t i = 0; i < 2 * pairs; i += LANES) {
    int64_t left = pairs - i / 2, count = left < LANES / 2 ? left : LANES / 2;
    vf cosine = vf_mul(vf_twice(table + i / 2, count), scale), sine = vf_mul(vf_twice(table + pairs + i / 2, count), signed_scale);
    vf v = element(x, weight, offset, factor, i, 2 * pairs);
    put(y, i, 2 * pairs, vf_add(vf_mul(v, cosine), vf_mul(vf_swap(v), sine)));
  }
}

static void rotate(const rope *r, float *y, const float *x, const float *table) {
  int64_t n = bp_last(r->x), pairs = r->frequencies->extent[0];
  const float *weight = r->weight->dtype ? r->weight->data : 0;
  vf factor = vf_of(head_factor(r, x, n)), offset = vf_of((float)r->offset), scale = vf_of((float)r->scale);
  if (r->interleaved) rotate_interleaved(y, x, weight, table, pairs, offset, factor, scale);
  for (int64_t i = 0; i < pairs && !r->interleaved; i += LANES) {
    vf cosine = vf_mul(part(table, i, pairs), scale), sine = vf_mul(part(table + pairs, i, pairs), scale);
    vf x1 = element(x, weight, offset, factor, i, pairs);
    vf x2 = element(x + pairs, weight ? weight + pairs : 0, offset, factor, i, pairs);
    put(y, i, pairs, vf_sub(vf_mul(x1, cosine), vf_mul(x2, sine)));
    put(y + pairs, i, pairs, vf_add(vf_mul(x1, sine), vf_mul(x2, cosine)));
  }
  for (int64_t i = 2 * pairs; i < n; i += LANES) put(y, i, n, element(x, weight, offset, factor, i, n));
}

// Behind the table, two buffers of a head for each worker where heads are not f32.
static uint64_t table_floats(const rope *r) {
  return (uint64_t)r->positions->extent[0] * (uint64_t)r->frequencies->extent[0] * 2;
}
static void plan(const bp_cpu_call *c, int norm, bp_cpu_plan *p) {
  rope_plan(c, norm, p);
  if (c->in[0].dtype != BP_FORMAT_F32) p->scratch_bytes += 2 * (uint64_t)c->workers * (uint64_t)bp_last(&c->in[0]) * 4;
}

static void run(const bp_cpu_call *c, int norm, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  rope r = rope_of(c, norm);
  if (phase == 0) { rope_table(&r, c->scratch, begin, end); return; }
  uint64_t heads = (uint64_t)r.x->extent[r.x->rank - 2], tokens = (uint64_t)r.positions->extent[0];
  int64_t pairs = r.frequencies->extent[0], n = bp_last(r.x);
  bp_row_walk rows_x = bp_row_walk_of(r.x, r.x), rows_y = bp_row_walk_of(r.x, r.y);
  float *buffer = (float *)c->scratch + table_floats(&r) + 2 * (uint64_t)worker * (uint64_t)n;
  for (uint64_t h = begin; h < end; h++) {
    char *y = bp_row(&rows_y, h);
    const float *from = bp_row_floats(r.x, bp_row(&rows_x, h), buffer, n), *table = (const float *)c->scratch + (int64_t)(h / heads % tokens) * pairs * 2;
    int is_f32 = r.x->dtype == BP_FORMAT_F32;
    rotate(&r, is_f32 ? (float *)y : buffer + n, from, table);
    if (!is_f32) VARIANT(bp_encode)(r.x->dtype, buffer + n, y, n);
  }
}

static int rotary_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return dense(c, 0, why); }
static void rotary_plan(const bp_cpu_call *c, bp_cpu_plan *p) { plan(c, 0, p); }
static void rotary_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { run(c, 0, phase, begin, end, worker); }
static int norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return dense(c, 1, why); }
static void norm_plan(const bp_cpu_call *c, bp_cpu_plan *p) { plan(c, 1, p); }
static void norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { run(c, 1, phase, begin, end, worker); }
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_rotary_embedding_f32) = {"rotary_embedding", VARIANT_NAME("rotary_embedding_f32"), VARIANT_NEEDS, 0, 0, 0, rotary_supports, rotary_plan, rotary_run};
const bp_cpu_kernel VARIANT(bp_cpu_rms_norm_rope_f32) = {"rms_norm_rope", VARIANT_NAME("rms_norm_rope_f32"), VARIANT_NEEDS, 0, 0, 0, norm_supports, norm_plan, norm_run};
