// Fused operators made of the kernels of their parts: one after the other, phase by phase, with what lies between them in scratch.
#ifndef BACKPLANE_CPU_PARTS_H
#define BACKPLANE_CPU_PARTS_H
#include "call.h"

#define BP_PART_ATTRIBUTES 8 // all up to the last that is given must be

typedef struct bp_part {
  const bp_cpu_kernel *kernel;
  bp_cpu_call call;
  bp_attr attrs[BP_PART_ATTRIBUTES];
} bp_part;

// The last of the kernels (NULL at the end) that takes the part; NULL when none does.
static inline const bp_cpu_kernel *bp_part_kernel(const bp_part *part, const bp_cpu_kernel *const *kernels, bp_cpu_refusal *why) {
  const bp_cpu_kernel *best = 0;
  for (; *kernels; kernels++) if ((*kernels)->supports(&part->call, why)) best = *kernels;
  return best;
}

// A part's attributes are copies of the fused operator's: its attribute `from` becomes number `to`.
static inline void bp_part_attr(bp_part *part, uint32_t to, const bp_cpu_call *whole, uint32_t from) {
  if (from < whole->n_attrs) part->attrs[to] = whole->attrs[from];
  if (part->call.n_attrs <= to) part->call.n_attrs = to + 1;
}

static inline void bp_part_int(bp_part *part, uint32_t to, int64_t value) {
  part->attrs[to].kind = BP_ATTR_I64;
  part->attrs[to].i = value;
  if (part->call.n_attrs <= to) part->call.n_attrs = to + 1;
}

// A dense tensor between parts. `data` NULL at compile time.
static inline bp_cpu_view bp_between(const bp_cpu_view *like, const int64_t *extent, uint32_t rank, char *scratch, uint64_t *used) {
  bp_cpu_view v = {.dtype = like->dtype, .rank = rank, .block_elements = 1, .block_bytes = like->block_bytes, .data = scratch ? scratch + *used : 0};
  uint64_t bytes = like->block_bytes;
  for (uint32_t i = rank; i-- > 0;) {
    v.extent[i] = extent[i];
    v.stride[i] = (int64_t)bytes;
    bytes *= (uint64_t)(extent[i] ? extent[i] : 1);
  }
  *used += (bytes + 63) / 64 * 64;
  return v;
}

// What all parts need: their phases in a row; they share the scratch behind the first `used` bytes.
static inline void bp_parts_plan(bp_part *parts, uint32_t count, uint64_t used, bp_cpu_plan *plan) {
  *plan = (bp_cpu_plan){0};
  uint64_t most = 0;
  for (uint32_t i = 0; i < count; i++) {
    bp_cpu_plan own;
    parts[i].call.attrs = parts[i].attrs;
    parts[i].kernel->plan(&parts[i].call, &own);
    for (uint32_t p = 0; p < own.phases; p++, plan->phases++) plan->items[plan->phases] = own.items[p], plan->grain[plan->phases] = own.grain[p];
    if (own.scratch_bytes > most) most = own.scratch_bytes;
  }
  plan->scratch_bytes = used + most;
}
static inline void bp_parts_run(bp_part *parts, uint32_t count, uint64_t used, const bp_cpu_call *whole, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  for (uint32_t i = 0; i < count; i++) {
    bp_cpu_plan own;
    parts[i].call.attrs = parts[i].attrs;
    parts[i].call.scratch = (char *)whole->scratch + used;
    parts[i].kernel->plan(&parts[i].call, &own);
    if (phase < own.phases) { parts[i].kernel->run(&parts[i].call, phase, begin, end, worker); return; }
    phase -= own.phases;
  }
}
#endif
