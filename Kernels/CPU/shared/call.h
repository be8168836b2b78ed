// What every kernel needs to say yes or no, to read attributes and to cut its work.
#ifndef BACKPLANE_CPU_CALL_H
#define BACKPLANE_CPU_CALL_H
#include "values.h"
#include "walk.h"

static inline int bp_refuse(bp_cpu_refusal *why, uint32_t reason, uint32_t operand, int64_t limit, int64_t actual) {
  *why = (bp_cpu_refusal){reason, operand, limit, actual};
  return 0;
}

static inline double bp_attr_float(const bp_cpu_call *c, uint32_t index, double otherwise) {
  return index < c->n_attrs && c->attrs[index].kind == BP_ATTR_F64 ? c->attrs[index].f : otherwise;
}
static inline int64_t bp_attr_int(const bp_cpu_call *c, uint32_t index, int64_t otherwise) {
  return index < c->n_attrs && c->attrs[index].kind == BP_ATTR_I64 ? c->attrs[index].i : otherwise;
}
static inline int bp_attr_is(const bp_cpu_call *c, uint32_t index, const char *text) {
  if (index >= c->n_attrs || c->attrs[index].kind != BP_ATTR_STR) return 0;
  size_t n = strlen(text);
  return c->attrs[index].count == n && memcmp(c->attrs[index].data, text, n) == 0;
}
// The elements of a list of integers; *count is 0 when there is none.
static inline const int64_t *bp_attr_ints(const bp_cpu_call *c, uint32_t index, uint32_t *count) {
  *count = 0;
  if (index >= c->n_attrs || c->attrs[index].kind != BP_ATTR_I64S) return 0;
  *count = c->attrs[index].count;
  return c->attrs[index].data;
}

// `operand` counts inputs, then outputs. 1 when present and f32, f16 or bf16.
static inline int bp_wants_float(const bp_cpu_view *v, uint32_t operand, bp_cpu_refusal *why) {
  if (v->dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, operand, 0, 0);
  return bp_is_float(v->dtype) ? 1 : bp_refuse(why, BP_REASON_DTYPE, operand, 0, 0);
}
// 1 when absent, or of `format` with rank `rank`.
static inline int bp_wants_optional(const bp_cpu_view *v, bp_id format, uint32_t rank, uint32_t operand, bp_cpu_refusal *why) {
  if (v->dtype == 0) return 1;
  if (v->dtype != format) return bp_refuse(why, BP_REASON_DTYPE, operand, 0, 0);
  return v->rank == rank ? 1 : bp_refuse(why, BP_REASON_RANK, operand, rank, v->rank);
}
// 1 when present and a vector of i32 or i64.
static inline int bp_wants_indices(const bp_cpu_view *v, uint32_t operand, bp_cpu_refusal *why) {
  if (v->dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, operand, 0, 0);
  if (v->dtype != BP_FORMAT_I32 && v->dtype != BP_FORMAT_I64) return bp_refuse(why, BP_REASON_DTYPE, operand, 0, 0);
  return v->rank == 1 ? 1 : bp_refuse(why, BP_REASON_RANK, operand, 1, v->rank);
}
static inline int bp_wants_rank(const bp_cpu_view *v, uint32_t at_least, uint32_t operand, bp_cpu_refusal *why) {
  return v->rank >= at_least ? 1 : bp_refuse(why, BP_REASON_RANK, operand, at_least, v->rank);
}
// 1 when absent, or f32 with its last dimension dense: what the vector kernels take.
static inline int bp_wants_dense_f32(const bp_cpu_view *v, uint32_t operand, bp_cpu_refusal *why) {
  if (v->dtype == 0) return 1;
  if (v->dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, operand, 0, 0);
  return v->rank && v->stride[v->rank - 1] == 4 ? 1 : bp_refuse(why, BP_REASON_LAYOUT, operand, 4, v->rank ? v->stride[v->rank - 1] : 0);
}

// The chosen value of the kernel's parameter `index`, or `standard`.
static inline int64_t bp_parameter(const bp_cpu_call *c, uint32_t index, int64_t standard) { return c->chosen[index] > 0 ? c->chosen[index] : standard; }

// One phase over `items`; `items_per_chunk` of them are worth a chunk (at least 1).
static inline void bp_plan_items(bp_cpu_plan *plan, uint64_t items, uint64_t items_per_chunk) {
  *plan = (bp_cpu_plan){.phases = 1, .items = {items}, .grain = {items_per_chunk ? items_per_chunk : 1}};
}
// Rows along the last dimension of `v`, so many that a chunk has `elements` elements.
static inline void bp_plan_rows(bp_cpu_plan *plan, const bp_cpu_view *v, uint64_t elements) {
  uint64_t last = (uint64_t)bp_last(v);
  bp_plan_items(plan, bp_rows(v), last ? (elements + last - 1) / last : elements);
}
#endif
