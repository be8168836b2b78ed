// One row of attention's y by itself, key by key.
#ifndef BACKPLANE_CPU_ATTENTION_ALONE_H
#define BACKPLANE_CPU_ATTENTION_ALONE_H
#include "problem.h"

static inline float bp_attention_dot(const float *restrict x, const float *restrict y, int64_t n) {
#pragma clang fp reassociate(on) contract(fast)
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// sums = y[batch, t, h, :]; returns its lse. Hidden keys are not looked at, nor are their values. `q` has room for a query, `row` for
// a key or a value.
static float bp_attention_alone(const bp_attention *p, int64_t batch, int64_t t, int64_t h, float *q, float *row, float *sums) {
  uint32_t rq = p->q->rank, rk = p->k->rank, rv = p->v->rank;
  int64_t head = h / p->group, first, last;
  bp_attention_range(p, t, &first, &last);
  bp_load_run(q, bp_attention_batch(p->q, 3, batch) + t * p->q->stride[rq - 3] + h * p->q->stride[rq - 2], p->q->stride[rq - 1], (uint64_t)p->d, p->q->dtype);
  const char *k = bp_attention_batch(p->k, 3, batch) + head * p->k->stride[rk - 2];
  const char *v = bp_attention_batch(p->v, 3, batch) + head * p->v->stride[rv - 2];
  float slope = p->alibi ? bp_vector_at(p->alibi, h) : 0;
  // The sink is there from the start: a weight of 1 and no value.
  float most = p->sinks ? bp_vector_at(p->sinks, h) : -INFINITY, total = most == -INFINITY ? 0 : 1;
  memset(sums, 0, (size_t)p->e * 4);
  for (int64_t j = first; j < last; j++) {
    float m = p->mask ? bp_mask_at(p->mask, t, j) : 0;
    if (m == -INFINITY) continue;
    bp_attention_row(p->k, k + j * p->k->stride[rk - 3], row, p->d);
    float s = bp_attention_dot(q, row, p->d) * p->scale;
    if (p->softcap > 0) s = p->softcap * tanhf(s / p->softcap);
    s += m + slope * (float)(j - (t + p->s - p->t));
    if (s == -INFINITY) continue;
    if (!(s <= most) && most == most) { // a NaN becomes the maximum, stays it, and so is the result
      float keep = most == -INFINITY ? 0 : expf(most - s);
      if (total != 0) for (int64_t x = 0; x < p->e; x++) sums[x] *= keep;
      total *= keep;
      most = s;
    }
    float w = expf(s - most);
    total += w;
    bp_attention_row(p->v, v + j * p->v->stride[rv - 3], row, p->e);
    for (int64_t x = 0; x < p->e; x++) sums[x] += w * row[x];
  }
  if (most == -INFINITY) return -INFINITY;
  for (int64_t x = 0; x < p->e; x++) sums[x] /= total;
  return most + logf(total);
}

// Writes one row of y, and of lse where it is wanted.
static inline void bp_attention_store(const bp_attention *p, int64_t batch, int64_t t, int64_t h, const float *o, float lse) {
  const bp_cpu_view *y = p->y, *l = p->lse;
  bp_store_run(bp_attention_batch(y, 3, batch) + t * y->stride[y->rank - 3] + h * y->stride[y->rank - 2], y->stride[y->rank - 1], o, (uint64_t)p->e, y->dtype);
  if (l) bp_store_one(bp_attention_batch(l, 2, batch) + t * l->stride[l->rank - 2] + h * l->stride[l->rank - 1], BP_FORMAT_F32, lse);
}
#endif
