// sample, portable C: f32 f16 bf16, any stride; weights and sums in double. An item is a row.
//
// What is kept is a prefix of the order "largest first, then lowest index", so one candidate, its last, says all of it. Scratch:
// a heap of the whole row a worker, the next one on top, so that only what is kept is ever sorted; then the row's weights.
#include "../shared/call.h"
#include "../shared/candidates.h"

typedef struct options { double temperature, top_p, min_p; int64_t top_k; } options;
typedef struct logits { const char *p; int64_t step, n; bp_id format; float max; } logits;

static options options_of(const bp_cpu_call *c) {
  return (options){(float)bp_attr_float(c, BP_SAMPLE_TEMPERATURE, 1), (float)bp_attr_float(c, BP_SAMPLE_TOP_P, 1),
                   (float)bp_attr_float(c, BP_SAMPLE_MIN_P, 0), bp_attr_int(c, BP_SAMPLE_TOP_K, 0)};
}
static int sorts(const options *o, int64_t n) { return (o->top_k > 0 && o->top_k < n) || o->top_p < 1; }

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 1, 0, why)) return 0;
  if (bp_last(&c->in[0]) > INT32_MAX) return bp_refuse(why, BP_REASON_DIM_TOO_LARGE, 0, INT32_MAX, bp_last(&c->in[0]));
  if (c->in[1].dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return c->out[0].dtype == BP_FORMAT_I32 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
}
static uint64_t own_bytes(const bp_cpu_call *c) { return ((uint64_t)bp_last(&c->in[0]) * sizeof(bp_candidate) + 63) / 64 * 64; }
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  bp_plan_rows(p, &c->in[0], 1024);
  p->scratch_bytes = own_bytes(c) * c->workers;
}

static float logit(const logits *l, int64_t i) {
  float x = bp_load_one(l->p + i * l->step, l->format);
  return x != x ? -INFINITY : x;
}
static double weight(const logits *l, float x, double temperature) { return exp(((double)x - l->max) / temperature); }

// The last candidate that is kept.
static bp_candidate last_kept(const logits *l, const options *o, bp_candidate *heap) {
  bp_candidate last = {-INFINITY, UINT32_MAX};
  int64_t kept = l->n;
  if (sorts(o, l->n)) {
    for (int64_t i = 0; i < l->n; i++) heap[i] = (bp_candidate){logit(l, i), (uint32_t)i};
    bp_make_heap(heap, l->n, 1);
    int64_t limit = o->top_k > 0 && o->top_k < l->n ? o->top_k : l->n, left = l->n;
    double mass = 0, sum = 0;
    // Taken from the top, the n-th best lies at the end of the array, n places from it.
    for (kept = 0; kept < limit && limit < l->n; kept++) {
      bp_candidate best = heap[0];
      heap[0] = heap[--left];
      bp_sift(heap, left, 0, 1);
      heap[left] = best;
      mass += weight(l, best.key, 1);
    }
    if (o->top_p < 1) {
      if (limit == l->n) for (int64_t i = 0; i < l->n; i++) mass += weight(l, heap[i].key, 1);
      for (kept = 0; kept < limit;) {
        if (limit == l->n) {
          bp_candidate best = heap[0];
          heap[0] = heap[--left];
          bp_sift(heap, left, 0, 1);
          heap[left] = best;
        }
        sum += weight(l, heap[l->n - ++kept].key, 1);
        if (sum >= o->top_p * mass) break;
      }
    }
    last = heap[l->n - kept];
  }
  return last;
}

static int32_t draw(const logits *l, const options *o, double u, bp_candidate *heap) {
  bp_candidate last = last_kept(l, o, heap);
  double *weights = (double *)heap, total = 0, sum = 0; // the heap has done its work
  int32_t chosen = 0;
  for (int64_t i = 0; i < l->n; i++) {
    bp_candidate own = {logit(l, i), (uint32_t)i};
    int cut = bp_is_before(last, own) || (o->min_p > 0 && own.key != l->max && weight(l, own.key, 1) < o->min_p);
    weights[i] = cut ? 0 : weight(l, own.key, o->temperature);
    total += weights[i];
  }
  for (int64_t i = 0; i < l->n; i++) {
    if (weights[i] > 0) chosen = (int32_t)i;
    if ((sum += weights[i]) > u * total) break;
  }
  return chosen;
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  const bp_cpu_view *x = &c->in[0];
  options o = options_of(c);
  bp_candidate *heap = (bp_candidate *)((char *)c->scratch + own_bytes(c) * worker);
  bp_row_walk rows = bp_row_walk_of(x, x);
  bp_row_walk draws = {bp_walk_over(x->extent, x->rank - 1)}, results = draws;
  bp_walk_add(&draws.over, &c->in[1]), bp_walk_merge(&draws.over);
  bp_walk_add(&results.over, &c->out[0]), bp_walk_merge(&results.over);
  for (uint64_t r = begin; r < end; r++) {
    logits l = {bp_row(&rows, r), bp_last_stride(x), bp_last(x), x->dtype, -INFINITY};
    int32_t y = 0;
    for (int64_t i = 0; i < l.n; i++) if (logit(&l, i) > l.max) l.max = logit(&l, i), y = (int32_t)i;
    if (o.temperature > 0 && l.max > -INFINITY && l.max < INFINITY) y = draw(&l, &o, bp_load_one(bp_row(&draws, r), BP_FORMAT_F32), heap);
    memcpy(bp_row(&results, r), &y, 4);
  }
}

const bp_cpu_kernel bp_cpu_sample_scalar = {"sample", "sample_scalar", 0, 0, 0, 0, supports, plan, run};
