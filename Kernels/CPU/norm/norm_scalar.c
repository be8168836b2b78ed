// rms_norm, add_rms_norm and layer_norm, portable C: f32 f16 bf16, any stride; statistics in double. Outputs may be the inputs
// that the spec allows. Rows are read in tiles: once (twice for the variance) for the statistics, once more for the result.
#include "../shared/call.h"

static double weight_at(const bp_cpu_view *w, int64_t i, double offset) {
  return (w->dtype ? bp_load_one((const char *)w->data + i * w->stride[0], BP_FORMAT_F32) : 1.0) + offset; // an absent weight is 1
}
static double bias_at(const bp_cpu_view *b, int64_t i) {
  return b->dtype ? (double)bp_load_one((const char *)b->data + i * b->stride[0], BP_FORMAT_F32) : 0;
}

static int same_format(const bp_cpu_call *c, uint32_t output, bp_cpu_refusal *why) {
  const bp_cpu_view *y = &c->out[output];
  return y->dtype == 0 || y->dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, c->n_in + output, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_rows(p, &c->in[0], 4096); }

// ---- rms_norm and add_rms_norm --------------------------------------------------------------------------------------------

typedef struct row { char *p; int64_t step; } row; // p NULL: absent

static double square_sum(row x, int64_t n, bp_id format) {
  double sum = 0;
  float tile[BP_TILE];
  for (int64_t at = 0; at < n; at += BP_TILE) {
    int64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(tile, x.p + at * x.step, x.step, (uint64_t)count, format);
    for (int64_t i = 0; i < count; i++) sum += (double)tile[i] * tile[i];
  }
  return sum;
}
static void normalise(row y, row x, int64_t n, bp_id format, double factor, const bp_cpu_view *weight, double offset) {
  float tile[BP_TILE];
  for (int64_t at = 0; at < n; at += BP_TILE) {
    int64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(tile, x.p + at * x.step, x.step, (uint64_t)count, format);
    for (int64_t i = 0; i < count; i++) tile[i] = (float)(tile[i] * factor * weight_at(weight, at + i, offset));
    bp_store_run(y.p + at * y.step, y.step, tile, (uint64_t)count, format);
  }
}

static void rms_norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  const bp_cpu_view *x = &c->in[0], *y = &c->out[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_y = bp_row_walk_of(x, y);
  double epsilon = bp_attr_float(c, BP_RMS_NORM_EPSILON, 1e-6), offset = bp_attr_float(c, BP_RMS_NORM_WEIGHT_OFFSET, 0);
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    row from = {bp_row(&rows_x, r), bp_last_stride(x)}, to = {bp_row(&rows_y, r), bp_last_stride(y)};
    double factor = 1 / sqrt(square_sum(from, n, x->dtype) / (double)n + epsilon);
    normalise(to, from, n, x->dtype, factor, &c->in[1], offset);
  }
}
static int rms_norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  return bp_wants_float(&c->in[0], 0, why) && bp_wants_rank(&c->in[0], 1, 0, why) &&
         bp_wants_optional(&c->in[1], BP_FORMAT_F32, 1, 1, why) && same_format(c, 0, why);
}

// sum = x + residual as the format rounds it, and the sum of its squares. Without a place for the sum, only the latter.
static double add_rows(row sum, row x, row residual, int64_t n, bp_id format) {
  double squares = 0;
  float a[BP_TILE], b[BP_TILE];
  for (int64_t at = 0; at < n; at += BP_TILE) {
    int64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(a, x.p + at * x.step, x.step, (uint64_t)count, format);
    bp_load_run(b, residual.p + at * residual.step, residual.step, (uint64_t)count, format);
    for (int64_t i = 0; i < count; i++) {
      a[i] = bp_rounded(a[i] + b[i], format);
      squares += (double)a[i] * a[i];
    }
    if (sum.p) bp_store_run(sum.p + at * sum.step, sum.step, a, (uint64_t)count, format);
  }
  return squares;
}
// y from the same sum, added again: the place of the sum may be absent.
static void normalise_sum(row y, row x, row residual, int64_t n, bp_id format, double factor, const bp_cpu_view *weight, double offset) {
  float a[BP_TILE], b[BP_TILE];
  for (int64_t at = 0; at < n; at += BP_TILE) {
    int64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    bp_load_run(a, x.p + at * x.step, x.step, (uint64_t)count, format);
    bp_load_run(b, residual.p + at * residual.step, residual.step, (uint64_t)count, format);
    for (int64_t i = 0; i < count; i++) a[i] = (float)(bp_rounded(a[i] + b[i], format) * factor * weight_at(weight, at + i, offset));
    bp_store_run(y.p + at * y.step, y.step, a, (uint64_t)count, format);
  }
}

static void add_rms_norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  const bp_cpu_view *x = &c->in[0], *residual = &c->in[1], *y = &c->out[0], *sum = &c->out[1];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_r = bp_row_walk_of(x, residual);
  bp_row_walk rows_y = bp_row_walk_of(x, y), rows_s = bp_row_walk_of(x, sum);
  double epsilon = bp_attr_float(c, BP_ADD_RMS_NORM_EPSILON, 1e-6), offset = bp_attr_float(c, BP_ADD_RMS_NORM_WEIGHT_OFFSET, 0);
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    row a = {bp_row(&rows_x, r), bp_last_stride(x)}, b = {bp_row(&rows_r, r), bp_last_stride(residual)};
    row to = {y->dtype ? bp_row(&rows_y, r) : 0, bp_last_stride(y)}, total = {sum->dtype ? bp_row(&rows_s, r) : 0, bp_last_stride(sum)};
    double factor = 1 / sqrt(add_rows(total, a, b, n, x->dtype) / (double)n + epsilon);
    if (!to.p) continue;
    if (total.p) normalise(to, total, n, x->dtype, factor, &c->in[2], offset);
    else normalise_sum(to, a, b, n, x->dtype, factor, &c->in[2], offset);
  }
}
static int add_rms_norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 1, 0, why)) return 0;
  if (c->in[1].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return bp_wants_optional(&c->in[2], BP_FORMAT_F32, 1, 2, why) && same_format(c, 0, why) && same_format(c, 1, why);
}

// ---- layer_norm -----------------------------------------------------------------------------------------------------------

static void statistics(row x, int64_t n, bp_id format, double *mean, double *variance) {
  float tile[BP_TILE];
  double sum = 0, squares = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t at = 0; at < n; at += BP_TILE) {
      int64_t count = n - at < BP_TILE ? n - at : BP_TILE;
      bp_load_run(tile, x.p + at * x.step, x.step, (uint64_t)count, format);
      if (pass == 0) for (int64_t i = 0; i < count; i++) sum += tile[i];
      else for (int64_t i = 0; i < count; i++) squares += (tile[i] - *mean) * (tile[i] - *mean);
    }
    *mean = sum / (double)n;
  }
  *variance = squares / (double)n;
}

static void layer_norm_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  const bp_cpu_view *x = &c->in[0], *y = &c->out[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_y = bp_row_walk_of(x, y);
  double epsilon = bp_attr_float(c, BP_LAYER_NORM_EPSILON, 1e-5);
  int64_t n = bp_last(x);
  for (uint64_t r = begin; r < end; r++) {
    row from = {bp_row(&rows_x, r), bp_last_stride(x)}, to = {bp_row(&rows_y, r), bp_last_stride(y)};
    double mean, variance;
    statistics(from, n, x->dtype, &mean, &variance);
    double factor = 1 / sqrt(variance + epsilon);
    float tile[BP_TILE];
    for (int64_t at = 0; at < n; at += BP_TILE) {
      int64_t count = n - at < BP_TILE ? n - at : BP_TILE;
      bp_load_run(tile, from.p + at * from.step, from.step, (uint64_t)count, x->dtype);
      for (int64_t i = 0; i < count; i++)
        tile[i] = (float)((tile[i] - mean) * factor * weight_at(&c->in[1], at + i, 0) + bias_at(&c->in[2], at + i));
      bp_store_run(to.p + at * to.step, to.step, tile, (uint64_t)count, x->dtype);
    }
  }
}
static int layer_norm_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  return bp_wants_float(&c->in[0], 0, why) && bp_wants_rank(&c->in[0], 1, 0, why) &&
         bp_wants_optional(&c->in[1], BP_FORMAT_F32, 1, 1, why) && bp_wants_optional(&c->in[2], BP_FORMAT_F32, 1, 2, why) &&
         same_format(c, 0, why);
}

const bp_cpu_kernel bp_cpu_rms_norm_scalar = {"rms_norm", "rms_norm_scalar", 0, 0, 0, 0, rms_norm_supports, plan, rms_norm_run};
const bp_cpu_kernel bp_cpu_add_rms_norm_scalar = {"add_rms_norm", "add_rms_norm_scalar", 0, 0, 0, 0, add_rms_norm_supports, plan, add_rms_norm_run};
const bp_cpu_kernel bp_cpu_layer_norm_scalar = {"layer_norm", "layer_norm_scalar", 0, 0, 0, 0, layer_norm_supports, plan, layer_norm_run};
