// Rows of f16 and bf16 for kernels that compute in f32: a row is widened into a buffer, and rounded from one. Include a vector_<isa>.h first.
#ifndef BACKPLANE_CPU_FLOAT_ROWS_H
#define BACKPLANE_CPU_FLOAT_ROWS_H
#include "call.h"
#include "decode.h"

// n elements, `step` bytes apart, as floats; an element that repeats has step 0.
static inline void vf_widen(bp_id format, const char *from, int64_t step, float *to, int64_t n) {
  if (step == (format == BP_FORMAT_F32 ? 4 : 2)) VARIANT(bp_decode)(format, from, to, n);
  else bp_load_run(to, from, step, (uint64_t)n, format);
}
static inline void vf_round(bp_id format, const float *from, char *to, int64_t step, int64_t n) {
  if (step == (format == BP_FORMAT_F32 ? 4 : 2)) VARIANT(bp_encode)(format, from, to, n);
  else bp_store_run(to, step, from, (uint64_t)n, format);
}

// 1 when absent, or a float format with its last dimension dense.
static inline int bp_wants_dense_float(const bp_cpu_view *v, uint32_t operand, bp_cpu_refusal *why) {
  if (v->dtype == 0) return 1;
  if (!bp_is_float(v->dtype)) return bp_refuse(why, BP_REASON_DTYPE, operand, 0, 0);
  return v->rank && v->stride[v->rank - 1] == v->block_bytes ? 1 : bp_refuse(why, BP_REASON_LAYOUT, operand, v->block_bytes, v->rank ? v->stride[v->rank - 1] : 0);
}
// As bp_plan_rows, with `buffers` rows of floats a worker where x is not f32.
static inline void bp_plan_float_rows(const bp_cpu_call *c, bp_cpu_plan *plan, uint64_t elements, uint64_t buffers) {
  bp_plan_rows(plan, &c->in[0], elements);
  if (c->in[0].dtype != BP_FORMAT_F32) plan->scratch_bytes = buffers * c->workers * ((uint64_t)bp_last(&c->in[0]) + 16) * 4;
}
// Buffer `index` of a worker.
static inline float *bp_row_buffer(const bp_cpu_call *c, uint32_t worker, uint64_t buffers, uint64_t index) {
  return (float *)c->scratch + (worker * buffers + index) * ((uint64_t)bp_last(&c->in[0]) + 16);
}
// A row of x as floats: itself, or in `buffer`.
static inline const float *bp_row_floats(const bp_cpu_view *x, const char *row, float *buffer, int64_t n) {
  if (x->dtype == BP_FORMAT_F32) return (const float *)row;
  VARIANT(bp_decode)(x->dtype, row, buffer, n);
  return buffer;
}
#endif
