// Scaled dot-product attention, one query row at a time, on any processor.
//
// q, k, v, y  any strides; k and v f32, f16, bf16, q8_0 or q4_0; every option of the spec (C1, C2 checked by the host).
// Scratch     a worker: one row each of q, k or v, and sums of y.
// Error       an online softmax; sums in an order that the compiler chooses.
#include "alone.h"

static uint64_t scratch_floats(const bp_attention *p) {
  return (uint64_t)((p->d + (p->d > p->e ? p->d : p->e) + p->e + 15) / 16 * 16);
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
  float *q = (float *)c->scratch + scratch_floats(&p) * worker, *row = q + p.d, *sums = row + (p.d > p.e ? p.d : p.e);
  for (uint64_t i = begin; i < end; i++) {
    int64_t h = (int64_t)i % p.h, t = (int64_t)i / p.h % p.t, batch = (int64_t)i / p.h / p.t;
    float lse = bp_attention_alone(&p, batch, t, h, q, row, sums);
    bp_attention_store(&p, batch, t, h, sums, lse);
  }
}
const bp_cpu_kernel bp_cpu_attention_scalar = {.op = "attention", .name = "attention_scalar", .supports = supports, .plan = plan, .run = run};
