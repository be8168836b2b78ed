// Data movement in units: a unit is an element of a plain format or a whole block of a block format. Bits are copied unchanged.
#ifndef BACKPLANE_CPU_MOVE_H
#define BACKPLANE_CPU_MOVE_H
#include "../shared/call.h"

// `v` with its last extent counted in blocks, so that strides and extents speak of the same unit.
static inline bp_cpu_view bp_in_units(const bp_cpu_view *v) {
  bp_cpu_view u = *v;
  if (u.rank && u.block_elements > 1) u.extent[u.rank - 1] /= u.block_elements;
  return u;
}

static inline void bp_copy_units(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  uint32_t bytes = *(const uint32_t *)context;
  if (step[0] == bytes && step[1] == bytes) { memcpy(p[0], p[1], n * bytes); return; }
  char *to = p[0];
  const char *from = p[1];
  switch (bytes) {
  case 1: for (uint64_t i = 0; i < n; i++, to += step[0], from += step[1]) *to = *from; return;
  case 2: for (uint64_t i = 0; i < n; i++, to += step[0], from += step[1]) memcpy(to, from, 2); return;
  case 4: for (uint64_t i = 0; i < n; i++, to += step[0], from += step[1]) memcpy(to, from, 4); return;
  case 8: for (uint64_t i = 0; i < n; i++, to += step[0], from += step[1]) memcpy(to, from, 8); return;
  default: for (uint64_t i = 0; i < n; i++, to += step[0], from += step[1]) memcpy(to, from, bytes);
  }
}

// Copies the units [begin, end) of `from` to the same places of `to`; both in units, of equal extents.
static inline void bp_copy_view(const bp_cpu_view *to, const bp_cpu_view *from, uint64_t begin, uint64_t end) {
  bp_walk w = bp_walk_over(to->extent, to->rank);
  bp_walk_add(&w, to);
  bp_walk_add(&w, from);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, bp_copy_units, &to->block_bytes);
}

// Dimension `axis` counted from the front; -1 when there is no such dimension.
static inline int bp_axis(int64_t axis, uint32_t rank) {
  if (axis < 0) axis += rank;
  return axis < 0 || axis >= rank ? -1 : (int)axis;
}

static inline int bp_same_format(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (c->in[0].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, 0, 0, 0);
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, c->n_in, 0, 0);
}
// 64 KiB a chunk.
static inline void bp_plan_units(bp_cpu_plan *plan, const bp_cpu_view *out) {
  bp_cpu_view y = bp_in_units(out);
  bp_plan_items(plan, bp_elements(&y), 65536 / (y.block_bytes ? y.block_bytes : 1));
}
#endif
