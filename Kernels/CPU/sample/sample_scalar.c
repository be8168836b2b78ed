// sample, portable C: f32 f16 bf16, any stride; weights and sums in double. An item is a row.
//
// What is kept is a prefix of the order "largest first, then lowest index". With top_k a heap of that many is filled, its worst on top,
// and parts of the row without a better one are passed over; only what is left takes part in the draw. Without, one candidate, the last
// that is kept, says all of it: a heap of the whole row, the best on top, then weights of the whole row. Scratch: that heap, a worker.
#include "../shared/call.h"
#include "../shared/candidates.h"
#include "../shared/largest.h"

typedef struct options { double temperature, top_p, min_p; int64_t top_k; } options;
typedef struct logits { const char *p; int64_t step, n; bp_id format; float max; } logits;

static options options_of(const bp_cpu_call *c) {
  return (options){(float)bp_attr_float(c, BP_SAMPLE_TEMPERATURE, 1), (float)bp_attr_float(c, BP_SAMPLE_TOP_P, 1),
                   (float)bp_attr_float(c, BP_SAMPLE_MIN_P, 0), bp_attr_int(c, BP_SAMPLE_TOP_K, 0)};
}
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

// Sorts: the best first.
static void sort(bp_candidate *heap, int64_t n) {
  bp_make_heap(heap, n, 0);
  while (n > 1) {
    bp_candidate worst = heap[0];
    heap[0] = heap[--n];
    bp_sift(heap, n, 0, 0);
    heap[n] = worst;
  }
}

// The best `most` of the row, sorted.
static void find_best(const logits *l, int64_t most, bp_candidate *heap) {
  for (int64_t i = 0; i < most; i++) heap[i] = (bp_candidate){logit(l, i), (uint32_t)i};
  bp_make_heap(heap, most, 0);
  for (int64_t i = most; i < l->n; i += BP_TILE) {
    float tile[BP_TILE];
    int64_t count = l->n - i < BP_TILE ? l->n - i : BP_TILE;
    bp_load_run(tile, l->p + i * l->step, l->step, (uint64_t)count, l->format);
    if (bp_largest_order(tile, count, -0x7f800000) <= bp_order_of(heap[0].key, -0x7f800000)) continue;
    for (int64_t j = 0; j < count; j++) {
      bp_candidate own = {tile[j] != tile[j] ? -INFINITY : tile[j], (uint32_t)(i + j)};
      if (!bp_is_before(own, heap[0])) continue;
      heap[0] = own;
      bp_sift(heap, most, 0, 0);
    }
  }
  sort(heap, most);
}

// How many of the n best are kept for top_p: the mass is theirs.
static int64_t within_top_p(const logits *l, const options *o, const bp_candidate *best, int64_t n) {
  double mass = 0, sum = 0;
  if (o->top_p >= 1) return n;
  for (int64_t i = 0; i < n; i++) mass += weight(l, best[i].key, 1);
  for (int64_t i = 0; i < n; i++)
    if ((sum += weight(l, best[i].key, 1)) >= o->top_p * mass) return i + 1;
  return n;
}

static int is_below_min_p(const logits *l, const options *o, float x) { return o->min_p > 0 && x != l->max && weight(l, x, 1) < o->min_p; }

static int32_t draw_of_best(const logits *l, const options *o, double u, bp_candidate *heap) {
  find_best(l, o->top_k, heap);
  int64_t kept = within_top_p(l, o, heap, o->top_k);
  for (int64_t i = 0; i < kept; i++) heap[i].key = 0;
  sort(heap, kept); // by place
  double total = 0, sum = 0;
  for (int64_t i = 0; i < kept; i++) {
    float x = logit(l, heap[i].index);
    heap[i].key = is_below_min_p(l, o, x) ? -INFINITY : x;
    total += weight(l, heap[i].key, o->temperature);
  }
  int32_t chosen = 0;
  for (int64_t i = 0; i < kept; i++) {
    double own = weight(l, heap[i].key, o->temperature);
    if (own > 0) chosen = (int32_t)heap[i].index;
    if ((sum += own) > u * total) break;
  }
  return chosen;
}

// The last candidate that top_p keeps of the whole row.
static bp_candidate last_kept(const logits *l, const options *o, bp_candidate *heap) {
  if (o->top_p >= 1) return (bp_candidate){-INFINITY, UINT32_MAX};
  double mass = 0, sum = 0;
  for (int64_t i = 0; i < l->n; i++) heap[i] = (bp_candidate){logit(l, i), (uint32_t)i};
  bp_make_heap(heap, l->n, 1);
  for (int64_t i = 0; i < l->n; i++) mass += weight(l, heap[i].key, 1);
  for (int64_t left = l->n;;) {
    bp_candidate best = heap[0];
    if ((sum += weight(l, best.key, 1)) >= o->top_p * mass || left == 1) return best;
    heap[0] = heap[--left];
    bp_sift(heap, left, 0, 1);
  }
}

static int32_t draw(const logits *l, const options *o, double u, bp_candidate *heap) {
  if (o->top_k > 0 && o->top_k < l->n) return draw_of_best(l, o, u, heap);
  bp_candidate last = last_kept(l, o, heap);
  double *weights = (double *)heap, total = 0, sum = 0; // the heap has done its work
  int32_t chosen = 0;
  for (int64_t i = 0; i < l->n; i++) {
    bp_candidate own = {logit(l, i), (uint32_t)i};
    weights[i] = bp_is_before(last, own) || is_below_min_p(l, o, own.key) ? 0 : weight(l, own.key, o->temperature);
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
    int32_t y = (int32_t)bp_largest(l.p, l.step, l.n, l.format, 0);
    l.max = logit(&l, y);
    if (o.temperature > 0 && l.max > -INFINITY && l.max < INFINITY) y = draw(&l, &o, bp_load_one(bp_row(&draws, r), BP_FORMAT_F32), heap);
    memcpy(bp_row(&results, r), &y, 4);
  }
}

const bp_cpu_kernel bp_cpu_sample_scalar = {"sample", "sample_scalar", 0, 0, 0, 0, supports, plan, run};
