// Scaled dot-product attention, one query row at a time, on any processor.
//
// q, k, v, y  any strides; k and v f32, f16, bf16, q8_0 or q4_0; every option of the spec (C1, C2 checked by the host).
// Scratch     a worker: one row each of q, k or v, sums of y, and the scores of one query.
// Error       the maximum is subtracted first; sums in an order that the compiler chooses.
#include "problem.h"

static uint64_t scratch_floats(const bp_attention *p) {
  return (uint64_t)((p->d + (p->d > p->e ? p->d : p->e) + p->e + p->s + 15) / 16 * 16);
}

static float dot(const float *restrict x, const float *restrict y, int64_t n) {
#pragma clang fp reassociate(on) contract(fast)
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_attention_supported(c, why); }

static void plan(const bp_cpu_call *c, bp_cpu_plan *to) {
  bp_attention p = bp_attention_of(c);
  uint64_t work = (uint64_t)p.s * (uint64_t)(p.d + p.e) + 1;
  bp_plan_items(to, (uint64_t)(p.batches * p.t * p.h), 1 + (1 << 15) / work);
  to->scratch_bytes = scratch_floats(&p) * 4 * c->workers;
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  bp_attention p = bp_attention_of(c);
  uint32_t rq = p.q->rank, rk = p.k->rank, rv = p.v->rank, ry = p.y->rank;
  float *q = (float *)c->scratch + scratch_floats(&p) * worker, *row = q + p.d;
  float *sums = row + (p.d > p.e ? p.d : p.e), *scores = sums + p.e;
  for (uint64_t i = begin; i < end; i++) {
    int64_t h = (int64_t)i % p.h, t = (int64_t)i / p.h % p.t, batch = (int64_t)i / p.h / p.t, head = h / p.group, first, last;
    bp_attention_range(&p, t, &first, &last);
    bp_load_run(q, bp_attention_batch(p.q, 3, batch) + t * p.q->stride[rq - 3] + h * p.q->stride[rq - 2], p.q->stride[rq - 1],
                (uint64_t)p.d, p.q->dtype);
    const char *k = bp_attention_batch(p.k, 3, batch) + head * p.k->stride[rk - 2];
    const char *v = bp_attention_batch(p.v, 3, batch) + head * p.v->stride[rv - 2];
    float slope = p.alibi ? bp_vector_at(p.alibi, h) : 0, most = -INFINITY;
    for (int64_t j = first; j < last; j++) {
      float m = p.mask ? bp_mask_at(p.mask, t, j) : 0;
      if (m == -INFINITY) {
        scores[j] = -INFINITY;
        continue;
      }
      bp_attention_row(p.k, k + j * p.k->stride[rk - 3], row, p.d);
      float s = dot(q, row, p.d) * p.scale;
      if (p.softcap > 0) s = p.softcap * tanhf(s / p.softcap);
      scores[j] = s += m + slope * (float)(j - (t + p.s - p.t));
      if (most == most && !(s <= most)) most = s; // a NaN becomes the maximum, stays it, and so is the result
    }
    float total = 0, sink = p.sinks ? bp_vector_at(p.sinks, h) : -INFINITY;
    if (sink > most) most = sink;
    memset(sums, 0, (size_t)p.e * 4);
    if (most != -INFINITY) {
      for (int64_t j = first; j < last; j++) {
        if (scores[j] == -INFINITY) continue;
        float w = expf(scores[j] - most);
        total += w;
        bp_attention_row(p.v, v + j * p.v->stride[rv - 3], row, p.e);
        for (int64_t x = 0; x < p.e; x++) sums[x] += w * row[x];
      }
      if (p.sinks) total += expf(sink - most);
      for (int64_t x = 0; x < p.e; x++) sums[x] /= total;
    }
    bp_store_run(bp_attention_batch(p.y, 3, batch) + t * p.y->stride[ry - 3] + h * p.y->stride[ry - 2], p.y->stride[ry - 1], sums,
                 (uint64_t)p.e, p.y->dtype);
    if (p.lse) {
      const bp_cpu_view *l = p.lse;
      char *at = bp_attention_batch(l, 2, batch) + t * l->stride[l->rank - 2] + h * l->stride[l->rank - 1];
      bp_store_one(at, BP_FORMAT_F32, most == -INFINITY ? -INFINITY : most + logf(total));
    }
  }
}
const bp_cpu_kernel bp_cpu_attention_scalar = {.op = "attention", .name = "attention_scalar", .supports = supports, .plan = plan, .run = run};
