// What the variants of tensor_scatter share. Phase 0 copies the cache where it is not written in place (an item a row), phase 1
// writes an update's row (an item an update). Of two updates to one row the later wins: the earlier one is skipped, so that
// updates can be written in any order.
#ifndef BACKPLANE_CPU_TENSOR_SCATTER_H
#define BACKPLANE_CPU_TENSOR_SCATTER_H
#include "../move/move.h"

static inline int scatter_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  bp_id format = c->in[0].dtype;
  if (format == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, 0, 0, 0);
  if (!bp_is_float(format) && format != BP_FORMAT_Q8_0 && format != BP_FORMAT_Q4_0) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  if (!bp_wants_rank(&c->in[0], 1, 0, why) || !bp_wants_float(&c->in[1], 1, why)) return 0;
  if (c->in[1].rank != c->in[0].rank) return bp_refuse(why, BP_REASON_RANK, 1, c->in[0].rank, c->in[1].rank);
  if (c->in[0].block_elements > 1 && (c->in[0].rank < 2 || bp_last(&c->in[0]) % c->in[0].block_elements))
    return bp_refuse(why, BP_REASON_DIM_MULTIPLE, 0, c->in[0].block_elements, bp_last(&c->in[0]));
  if (!bp_wants_indices(&c->in[2], 2, why)) return 0;
  return c->out[0].dtype == format ? 1 : bp_refuse(why, BP_REASON_DTYPE, 3, 0, 0);
}

static inline uint64_t scatter_row_elements(const bp_cpu_view *v) {
  uint64_t n = 1;
  for (uint32_t i = 1; i < v->rank; i++) n *= (uint64_t)v->extent[i];
  return n;
}

static inline void scatter_plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  uint64_t row = scatter_row_elements(&c->out[0]) + 1;
  int in_place = c->in[0].data == c->out[0].data && c->in[0].data != 0;
  *p = (bp_cpu_plan){.phases = 2, .items = {in_place ? 0 : (uint64_t)c->out[0].extent[0], (uint64_t)c->in[1].extent[0]},
                     .grain = {1 + 32768 / row, 1 + 8192 / row}};
}

// The row of update t, -1 for none.
static inline int64_t scatter_target(const bp_cpu_call *c, int64_t t) {
  int64_t position = bp_load_index(&c->in[2], t), rows = c->out[0].extent[0];
  if (position < 0 || rows == 0) return -1;
  if (bp_attr_is(c, BP_TENSOR_SCATTER_MODE, "circular")) return position % rows;
  return position < rows ? position : -1;
}

// 1 when positions rise from `begin` on over less than the cache's rows: then no row is written twice.
static inline int scatter_is_rising(const bp_cpu_call *c, int64_t begin) {
  int64_t first = bp_load_index(&c->in[2], begin), before = first;
  for (int64_t t = begin + 1; t < c->in[1].extent[0]; t++) {
    int64_t position = bp_load_index(&c->in[2], t);
    if (position <= before) return 0;
    before = position;
  }
  return first >= 0 && before - first < c->out[0].extent[0];
}
static inline int scatter_is_last(const bp_cpu_call *c, int64_t t, int64_t row) {
  for (int64_t later = t + 1; later < c->in[1].extent[0]; later++) if (scatter_target(c, later) == row) return 0;
  return 1;
}

static inline void scatter_copy_cache(const bp_cpu_call *c, uint64_t begin, uint64_t end) {
  bp_cpu_view y = bp_in_units(&c->out[0]), x = bp_in_units(&c->in[0]);
  y.data = (char *)y.data + (int64_t)begin * y.stride[0];
  x.data = (char *)x.data + (int64_t)begin * x.stride[0];
  y.extent[0] = x.extent[0] = (int64_t)(end - begin);
  bp_copy_view(&y, &x, 0, bp_elements(&y));
}

// Calls `write` with each row that is to be written: the places of its first element and the rest of the shape in `y`, `x`.
typedef void (*scatter_write)(const bp_cpu_view *y, const bp_cpu_view *x);
static inline __attribute__((always_inline)) void scatter_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, scatter_write write) {
  if (begin >= end) return;
  if (phase == 0) { scatter_copy_cache(c, begin, end); return; }
  int rising = scatter_is_rising(c, (int64_t)begin);
  bp_cpu_view y = c->out[0], x = c->in[1];
  y.rank = x.rank = c->out[0].rank - 1;
  for (uint32_t i = 0; i < y.rank; i++) {
    y.extent[i] = c->out[0].extent[i + 1], y.stride[i] = c->out[0].stride[i + 1];
    x.extent[i] = c->in[1].extent[i + 1], x.stride[i] = c->in[1].stride[i + 1];
  }
  for (int64_t t = (int64_t)begin; t < (int64_t)end; t++) {
    int64_t row = scatter_target(c, t);
    if (row < 0 || (!rising && !scatter_is_last(c, t, row))) continue;
    y.data = (char *)c->out[0].data + row * c->out[0].stride[0];
    x.data = (char *)c->in[1].data + t * c->in[1].stride[0];
    write(&y, &x);
  }
}
#endif
