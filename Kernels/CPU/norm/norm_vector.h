// rms_norm, add_rms_norm and layer_norm of float rows with a register's width, in f32; weights f32. Included once an isa.
//
// x, y, sum  rows of any stride, dense within; outputs may be the inputs that the spec allows.
// Error      four sums of a register's lanes for the statistics; two passes for the variance.
#include "../shared/float_rows.h"
#define BP_FNV static inline __attribute__((always_inline, target(VECTOR_TARGET)))
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)

enum { BUFFERS = 3 }; // of x, of what is added to it, of y
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_float_rows(c, p, 16384, BUFFERS); }

// The part at i of a row of n: all lanes, or what is left with zeros behind it.
BP_FNV vf part(const float *p, int64_t i, int64_t n) { return i + LANES <= n ? vf_load(p + i) : vf_load_some(p + i, n - i); }
BP_FNV void put(float *p, int64_t i, int64_t n, vf x) { if (i + LANES <= n) vf_store(p + i, x); else vf_store_some(p + i, x, n - i); }

static float square_sum(const float *x, int64_t n) {
  vf s[4] = {vf_of(0), vf_of(0), vf_of(0), vf_of(0)};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int k = 0; k < 4; k++) {
      vf v = vf_load(x + i + k * LANES);
      s[k] = vf_fma(v, v, s[k]);
    }
  for (; i < n; i += LANES) {
    vf v = part(x, i, n);
    s[0] = vf_fma(v, v, s[0]);
  }
  return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}
// y = x * factor * (weight + offset); weight NULL: 1
static void normalise(float *y, const float *x, int64_t n, float factor, const float *weight, float offset) {
  vf f = vf_of(weight ? factor : factor * (1 + offset)), o = vf_of(offset);
  if (!weight) for (int64_t i = 0; i < n; i += LANES) put(y, i, n, vf_mul(part(x, i, n), f));
  else for (int64_t i = 0; i < n; i += LANES) put(y, i, n, vf_mul(vf_mul(part(x, i, n), f), vf_add(part(weight, i, n), o)));
}
static float factor_of(float squares, int64_t n, double epsilon) { return (float)(1 / sqrt((double)squares / (double)n + epsilon)); }

// Inputs: `rows` of x's format, then f32 weights up to n_in. Outputs have x's format, too.
static int dense(const bp_cpu_call *c, uint32_t rows, uint32_t n_in, uint32_t n_out, bp_cpu_refusal *why) {
  for (uint32_t i = 0; i < rows; i++) if (!bp_wants_dense_float(&c->in[i], i, why)) return 0;
  for (uint32_t i = rows; i < n_in; i++) if (!bp_wants_dense_f32(&c->in[i], i, why)) return 0;
  for (uint32_t i = 0; i < n_out; i++) if (!bp_wants_dense_float(&c->out[i], c->n_in + i, why)) return 0;
  for (uint32_t i = 1; i < rows; i++) if (c->in[i].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, i, 0, 0);
  for (uint32_t i = 0; i < n_out; i++) if (c->out[i].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, c->n_in + i, 0, 0);
  return c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_OPERAND_MISSING, 0, 0, 0);
}
// Where a row of y is computed: in place, or in the worker's last buffer.
static float *result(const bp_cpu_call *c, uint32_t worker, char *row) { return c->in[0].dtype == BP_FORMAT_F32 ? (float *)row : bp_row_buffer(c, worker, BUFFERS, 2); }
static void put_row(const bp_cpu_view *y, const float *from, char *row, int64_t n) { if (y->dtype != BP_FORMAT_F32) VARIANT(bp_encode)(y->dtype, from, row, n); }

// ---- rms_norm ---------------------------------------------------------------------------------------------------------------

static int rms_norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return dense(c, 1, 2, 1, why); }
static void rms_norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  const bp_cpu_view *x = &c->in[0], *y = &c->out[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_y = bp_row_walk_of(x, y);
  double epsilon = bp_attr_float(c, BP_RMS_NORM_EPSILON, 1e-6);
  float offset = (float)bp_attr_float(c, BP_RMS_NORM_WEIGHT_OFFSET, 0);
  const float *weight = c->in[1].dtype ? c->in[1].data : 0;
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    const float *from = bp_row_floats(x, bp_row(&rows_x, r), bp_row_buffer(c, worker, BUFFERS, 0), n);
    char *row = bp_row(&rows_y, r);
    float *to = result(c, worker, row);
    normalise(to, from, n, factor_of(square_sum(from, n), n, epsilon), weight, offset);
    put_row(y, to, row, n);
  }
}

// ---- add_rms_norm -----------------------------------------------------------------------------------------------------------

static int add_rms_norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!dense(c, 2, 3, 2, why)) return 0;
  for (uint32_t i = 0; i < 2; i++) if (c->out[i].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, c->n_in + i, 0, 0);
  return 1;
}
static float add_rows(float *sum, const float *x, const float *residual, int64_t n) {
  vf s[4] = {vf_of(0), vf_of(0), vf_of(0), vf_of(0)};
  for (int64_t i = 0, k = 0; i < n; i += LANES, k = (k + 1) & 3) {
    vf v = vf_add(part(x, i, n), part(residual, i, n));
    put(sum, i, n, v);
    s[k] = vf_fma(v, v, s[k]);
  }
  return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}
static void add_rms_norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  const bp_cpu_view *x = &c->in[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_r = bp_row_walk_of(x, &c->in[1]);
  bp_row_walk rows_y = bp_row_walk_of(x, &c->out[0]), rows_s = bp_row_walk_of(x, &c->out[1]);
  double epsilon = bp_attr_float(c, BP_ADD_RMS_NORM_EPSILON, 1e-6);
  float offset = (float)bp_attr_float(c, BP_ADD_RMS_NORM_WEIGHT_OFFSET, 0);
  const float *weight = c->in[2].dtype ? c->in[2].data : 0;
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    char *sum_row = bp_row(&rows_s, r), *row = bp_row(&rows_y, r);
    const float *a = bp_row_floats(x, bp_row(&rows_x, r), bp_row_buffer(c, worker, BUFFERS, 0), n);
    const float *b = bp_row_floats(x, bp_row(&rows_r, r), bp_row_buffer(c, worker, BUFFERS, 1), n);
    int is_f32 = x->dtype == BP_FORMAT_F32;
    float *sum = is_f32 ? (float *)sum_row : bp_row_buffer(c, worker, BUFFERS, 0), *to = result(c, worker, row), squares = add_rows(sum, a, b, n);
    if (!is_f32) { // what is normed is the rounded sum
      put_row(&c->out[1], sum, sum_row, n);
      VARIANT(bp_decode)(x->dtype, sum_row, sum, n);
      squares = square_sum(sum, n);
    }
    normalise(to, sum, n, factor_of(squares, n, epsilon), weight, offset);
    put_row(&c->out[0], to, row, n);
  }
}

// ---- layer_norm -------------------------------------------------------------------------------------------------------------

static int layer_norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return dense(c, 1, 3, 1, why); }
static float sum_of(const float *x, int64_t n) {
  vf s[4] = {vf_of(0), vf_of(0), vf_of(0), vf_of(0)};
  for (int64_t i = 0, k = 0; i < n; i += LANES, k = (k + 1) & 3) s[k] = vf_add(s[k], part(x, i, n));
  return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}
static float square_sum_around(const float *x, int64_t n, float mean) {
  vf s[4] = {vf_of(0), vf_of(0), vf_of(0), vf_of(0)}, m = vf_of(mean), zero = vf_of(0);
  for (int64_t i = 0, k = 0; i < n; i += LANES, k = (k + 1) & 3) {
    vf d = vf_sub(part(x, i, n), m);
    if (i + LANES > n) d = vf_first(d, zero, n - i);
    s[k] = vf_fma(d, d, s[k]);
  }
  return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}
static void layer_norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  const bp_cpu_view *x = &c->in[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_y = bp_row_walk_of(x, &c->out[0]);
  double epsilon = bp_attr_float(c, BP_LAYER_NORM_EPSILON, 1e-5);
  const float *weight = c->in[1].dtype ? c->in[1].data : 0, *bias = c->in[2].dtype ? c->in[2].data : 0;
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    const float *from = bp_row_floats(x, bp_row(&rows_x, r), bp_row_buffer(c, worker, BUFFERS, 0), n);
    char *row = bp_row(&rows_y, r);
    float *to = result(c, worker, row), mean = sum_of(from, n) / (float)n;
    vf m = vf_of(mean), f = vf_of(factor_of(square_sum_around(from, n, mean), n, epsilon));
    for (int64_t i = 0; i < n; i += LANES) {
      vf v = vf_mul(vf_sub(part(from, i, n), m), f);
      if (weight) v = vf_mul(v, part(weight, i, n));
      put(to, i, n, bias ? vf_add(v, part(bias, i, n)) : v);
    }
    put_row(&c->out[0], to, row, n);
  }
}
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_rms_norm_f32) = {"rms_norm", VARIANT_NAME("rms_norm_f32"), VARIANT_NEEDS, 0, 0, 0, rms_norm_supports, plan, rms_norm_run};
const bp_cpu_kernel VARIANT(bp_cpu_add_rms_norm_f32) = {"add_rms_norm", VARIANT_NAME("add_rms_norm_f32"), VARIANT_NEEDS, 0, 0, 0, add_rms_norm_supports, plan, add_rms_norm_run};
const bp_cpu_kernel VARIANT(bp_cpu_layer_norm_f32) = {"layer_norm", VARIANT_NAME("layer_norm_f32"), VARIANT_NEEDS, 0, 0, 0, layer_norm_supports, plan, layer_norm_run};
