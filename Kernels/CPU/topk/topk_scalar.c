// topk, portable C: f32 f16 bf16, any stride. An item is a row; scratch: a heap of the k best so far a worker, the worst of them
// on top, so that almost every element of a long row fails its first comparison.
#include "../shared/call.h"
#include "../shared/candidates.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 1, 0, why)) return 0;
  int64_t k = bp_attr_int(c, BP_TOPK_K, 1);
  if (k < 1 || k > bp_last(&c->in[0]) || bp_last(&c->in[0]) > INT32_MAX) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, bp_last(&c->in[0]), k);
  if (c->out[0].dtype && c->out[0].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return !c->out[1].dtype || c->out[1].dtype == BP_FORMAT_I32 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static uint64_t own_bytes(const bp_cpu_call *c) { return ((uint64_t)bp_attr_int(c, BP_TOPK_K, 1) * sizeof(bp_candidate) + 63) / 64 * 64; }
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  bp_plan_rows(p, &c->in[0], 8192);
  p->scratch_bytes = own_bytes(c) * c->workers;
}

// For the smallest elements keys are negated, and NaN comes last: behind infinity, whose index is the lower number.
#define BEHIND 0x80000000u
static bp_candidate candidate(const char *row, int64_t step, int64_t i, bp_id format, int largest) {
  float x = bp_load_one(row + i * step, format);
  if (largest) return (bp_candidate){x, (uint32_t)i};
  return x != x ? (bp_candidate){-INFINITY, (uint32_t)i | BEHIND} : (bp_candidate){-x, (uint32_t)i};
}
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  const bp_cpu_view *x = &c->in[0], *values = &c->out[0], *indices = &c->out[1];
  bp_candidate *heap = (bp_candidate *)((char *)c->scratch + own_bytes(c) * worker);
  int64_t k = bp_attr_int(c, BP_TOPK_K, 1), n = bp_last(x), step = bp_last_stride(x);
  int largest = bp_attr_int(c, BP_TOPK_LARGEST, 1) == 1;
  bp_row_walk rows = bp_row_walk_of(x, x), rows_v = bp_row_walk_of(x, values), rows_i = bp_row_walk_of(x, indices);
  for (uint64_t r = begin; r < end; r++) {
    const char *row = bp_row(&rows, r);
    for (int64_t i = 0; i < k; i++) heap[i] = candidate(row, step, i, x->dtype, largest);
    bp_make_heap(heap, k, 0);
    for (int64_t i = k; i < n; i++) {
      bp_candidate next = candidate(row, step, i, x->dtype, largest);
      if (!bp_is_before(next, heap[0])) continue;
      heap[0] = next;
      bp_sift(heap, k, 0, 0);
    }
    for (int64_t left = k; left-- > 0;) { // the worst goes to the end
      int32_t at = (int32_t)(heap[0].index & ~BEHIND);
      heap[0] = heap[left];
      bp_sift(heap, left, 0, 0);
      if (values->dtype) memcpy(bp_row(&rows_v, r) + left * bp_last_stride(values), row + at * step, x->block_bytes);
      if (indices->dtype) memcpy(bp_row(&rows_i, r) + left * bp_last_stride(indices), &at, 4);
    }
  }
}

const bp_cpu_kernel bp_cpu_topk_scalar = {"topk", "topk_scalar", 0, 0, 0, 0, supports, plan, run};
