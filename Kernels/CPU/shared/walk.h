// How kernels go over tensors of any stride: element walks for elementwise work and data movement, row walks for work along
// the last dimension. Dimensions that lie next to each other in every operand are merged first, so that dense tensors of any
// rank are one run.
#ifndef BACKPLANE_CPU_WALK_H
#define BACKPLANE_CPU_WALK_H
#include "cpu_kernels.h"

#define BP_WALK_OPERANDS 4

// Several operands over one index space. `stride` is in bytes, 0 where an operand is repeated.
typedef struct bp_walk {
  uint32_t rank, operands;
  int64_t extent[BP_MAX_DIMS];
  char *data[BP_WALK_OPERANDS];
  int64_t stride[BP_WALK_OPERANDS][BP_MAX_DIMS];
} bp_walk;

static inline uint64_t bp_elements(const bp_cpu_view *v) {
  uint64_t n = 1;
  for (uint32_t i = 0; i < v->rank; i++) n *= (uint64_t)v->extent[i];
  return n;
}
static inline uint64_t bp_rows(const bp_cpu_view *v) { // rows along the last dimension
  uint64_t n = 1;
  for (uint32_t i = 0; i + 1 < v->rank; i++) n *= (uint64_t)v->extent[i];
  return n;
}
static inline int64_t bp_last(const bp_cpu_view *v) { return v->rank ? v->extent[v->rank - 1] : 1; }
static inline int64_t bp_last_stride(const bp_cpu_view *v) { return v->rank ? v->stride[v->rank - 1] : v->block_bytes; }

// The index space of `shape`, without operands.
static inline bp_walk bp_walk_over(const int64_t *extent, uint32_t rank) {
  bp_walk w = {.rank = rank};
  for (uint32_t i = 0; i < rank; i++) w.extent[i] = extent[i];
  return w;
}
// Adds an operand whose dimensions are aligned at the end and repeat where they are missing or 1.
static inline void bp_walk_add(bp_walk *w, const bp_cpu_view *v) {
  uint32_t o = w->operands++;
  w->data[o] = v->data;
  for (uint32_t i = 0; i < w->rank; i++) {
    int64_t at = (int64_t)i + v->rank - w->rank;
    w->stride[o][i] = at < 0 || (v->extent[at] == 1 && w->extent[i] != 1) ? 0 : v->stride[at];
  }
}
// Merges neighbours that every operand steps over evenly, and drops extents of 1. The order of elements stays.
static inline void bp_walk_merge(bp_walk *w) {
  uint32_t to = 0;
  for (uint32_t i = 0; i < w->rank; i++) {
    if (w->extent[i] == 1) continue;
    int joins = to > 0;
    for (uint32_t o = 0; joins && o < w->operands; o++) joins = w->stride[o][to - 1] == w->stride[o][i] * w->extent[i];
    if (joins) w->extent[to - 1] *= w->extent[i]; else w->extent[to++] = w->extent[i];
    for (uint32_t o = 0; o < w->operands; o++) w->stride[o][to - 1] = w->stride[o][i];
  }
  w->rank = to;
}

// A run of n elements: p[o] points at operand o's first, step[o] bytes from one to the next.
typedef void (*bp_run_fn)(char *const *p, const int64_t *step, uint64_t n, const void *context);

// Calls `run` for the elements [begin, end) of a merged walk, in runs along the last dimension.
static inline __attribute__((always_inline)) void bp_walk_run(const bp_walk *w, uint64_t begin, uint64_t end, bp_run_fn run, const void *context) {
  if (begin >= end) return;
  int64_t index[BP_MAX_DIMS] = {0}, step[BP_WALK_OPERANDS] = {0};
  char *p[BP_WALK_OPERANDS] = {0};
  uint32_t last = w->rank ? w->rank - 1 : 0;
  uint64_t row = w->rank ? (uint64_t)w->extent[last] : 1, rest = begin;
  for (uint32_t i = w->rank; i-- > 0;) {
    index[i] = (int64_t)(rest % (uint64_t)w->extent[i]);
    rest /= (uint64_t)w->extent[i];
  }
  for (uint32_t o = 0; o < w->operands; o++) {
    p[o] = w->data[o];
    step[o] = w->rank ? w->stride[o][last] : 0;
    for (uint32_t i = 0; i < w->rank; i++) p[o] += index[i] * w->stride[o][i];
  }
  for (uint64_t at = begin; at < end;) {
    uint64_t n = row - (uint64_t)index[last];
    if (n > end - at) n = end - at;
    run(p, step, n, context);
    at += n;
    if (at >= end) return;
    for (uint32_t o = 0; o < w->operands; o++) p[o] -= index[last] * step[o];
    index[last] = 0;
    for (uint32_t i = last; i-- > 0;) {
      for (uint32_t o = 0; o < w->operands; o++) p[o] += w->stride[o][i];
      if (++index[i] < w->extent[i]) break;
      for (uint32_t o = 0; o < w->operands; o++) p[o] -= w->extent[i] * w->stride[o][i];
      index[i] = 0;
    }
  }
}

// The rows of one operand: everything but its last dimension, merged.
typedef struct bp_row_walk {
  bp_walk over;
} bp_row_walk;

// Over `shape`'s rows; `v` may have fewer dimensions or extents of 1, which repeat.
static inline bp_row_walk bp_row_walk_of(const bp_cpu_view *shape, const bp_cpu_view *v) {
  bp_row_walk r = {bp_walk_over(shape->extent, shape->rank ? shape->rank - 1 : 0)};
  if (v->dtype == 0) return r;
  bp_cpu_view outer = *v;
  outer.rank = v->rank ? v->rank - 1 : 0;
  bp_walk_add(&r.over, &outer);
  bp_walk_merge(&r.over);
  return r;
}
// The address of row `row`; NULL for an absent operand.
static inline char *bp_row(const bp_row_walk *r, uint64_t row) {
  char *p = r->over.data[0];
  if (r->over.rank == 1) return p + (int64_t)row * r->over.stride[0][0];
  for (uint32_t i = r->over.rank; i-- > 0;) {
    p += (int64_t)(row % (uint64_t)r->over.extent[i]) * r->over.stride[0][i];
    row /= (uint64_t)r->over.extent[i];
  }
  return p;
}
#endif
