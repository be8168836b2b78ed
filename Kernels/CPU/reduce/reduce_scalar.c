// Sums, means, norms, products and extrema over any dimensions, portable C: f32 f16 bf16, any stride. Computed in double; NaN
// wins a maximum and a minimum.
#include "../shared/call.h"

// The kept dimensions give y's elements, the reduced ones a walk that starts at each.
typedef struct split { bp_walk kept, reduced; } split;

static uint32_t reduced_mask(const bp_cpu_call *c) {
  uint32_t count, mask = 0, rank = c->in[0].rank;
  const int64_t *axes = bp_attr_ints(c, BP_REDUCE_SUM_AXES, &count);
  if (count == 0) return (1u << rank) - 1;
  for (uint32_t i = 0; i < count; i++) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return UINT32_MAX;
    mask |= 1u << axis;
  }
  return mask;
}

static split split_of(const bp_cpu_call *c) {
  const bp_cpu_view *x = &c->in[0], *y = &c->out[0];
  uint32_t mask = reduced_mask(c), at = 0;
  int keeps = y->rank == x->rank;
  split s = {.kept = {.operands = 2}, .reduced = {.operands = 1}};
  s.kept.data[0] = y->data, s.kept.data[1] = x->data;
  for (uint32_t i = 0; i < x->rank; i++) {
    int gone = mask >> i & 1;
    bp_walk *w = gone ? &s.reduced : &s.kept;
    w->extent[w->rank] = x->extent[i];
    if (gone) w->stride[0][w->rank++] = x->stride[i];
    else {
      w->stride[0][w->rank] = y->stride[keeps ? i : at];
      w->stride[1][w->rank++] = x->stride[i];
    }
    at += !gone;
  }
  bp_walk_merge(&s.kept);
  bp_walk_merge(&s.reduced);
  return s;
}

typedef enum kind { sum, mean, l2, prod, max, min } kind;
typedef struct accumulator { double sum; float extreme; bp_id format; kind kind; int any, nan; } accumulator;

enum { PARTIAL = 16 }; // sums and extrema that go on side by side

static void sum_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
#pragma clang fp reassociate(on)
  accumulator *a = (accumulator *)context;
  float tile[BP_TILE];
  for (uint64_t at = 0; at < n; at += BP_TILE) {
    uint64_t count = n - at < BP_TILE ? n - at : BP_TILE;
    double s = a->sum;
    bp_load_run(tile, p[0] + (int64_t)at * step[0], step[0], count, a->format);
    if (a->kind == l2) for (uint64_t i = 0; i < count; i++) s += (double)tile[i] * tile[i];
    else if (a->kind == prod) for (uint64_t i = 0; i < count; i++) s *= tile[i];
    else for (uint64_t i = 0; i < count; i++) s += tile[i];
    a->sum = s;
  }
}
static void extreme_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  accumulator *a = (accumulator *)context;
  float tile[BP_TILE], most[PARTIAL], sign = a->kind == max ? 1 : -1; // a minimum is the maximum of what is negated
  int32_t nan[PARTIAL] = {0};
  for (int j = 0; j < PARTIAL; j++) most[j] = a->any ? sign * a->extreme : -INFINITY;
  for (uint64_t at = 0; at < n; at += BP_TILE) {
    uint64_t count = n - at < BP_TILE ? n - at : BP_TILE, i = 0;
    bp_load_run(tile, p[0] + (int64_t)at * step[0], step[0], count, a->format);
    for (; i + PARTIAL <= count; i += PARTIAL)
      for (int j = 0; j < PARTIAL; j++) {
        float x = sign * tile[i + (uint64_t)j];
        nan[j] |= x != x;
        most[j] = x > most[j] ? x : most[j];
      }
    for (; i < count; i++) {
      float x = sign * tile[i];
      nan[0] |= x != x;
      most[0] = x > most[0] ? x : most[0];
    }
  }
  for (int j = 1; j < PARTIAL; j++) {
    most[0] = most[j] > most[0] ? most[j] : most[0];
    nan[0] |= nan[j];
  }
  a->extreme = sign * most[0];
  a->nan |= nan[0];
  a->any = 1;
}

typedef struct reduce_context { const split *s; bp_id format; kind kind; } reduce_context;

static float result_of(const accumulator *a, uint64_t count) {
  switch (a->kind) {
  case mean: return (float)(a->sum / (double)count);
  case l2: return (float)sqrt(a->sum);
  case max: case min: return a->nan ? NAN : a->extreme;
  default: return (float)a->sum;
  }
}
// Elements of y that lie side by side in x: their rows are added up, one after the other.
enum { COLUMNS = 64 };
typedef struct columns { double sum[COLUMNS]; float extreme[COLUMNS]; int32_t nan[COLUMNS]; uint64_t count; bp_id format; kind kind; } columns;

static void column_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  columns *a = (columns *)context;
  const float sign = a->kind == min ? -1 : 1;
  const uint64_t bytes = a->format == BP_FORMAT_F32 ? 4 : 2;
  float x[COLUMNS] = {0};
  for (uint64_t row = 0; row < n; row++) {
    bp_load_run(x, p[0] + (int64_t)row * step[0], (int64_t)bytes, a->count, a->format);
    if (a->kind >= max)
      for (int i = 0; i < COLUMNS; i++) {
        float y = sign * x[i];
        a->nan[i] |= y != y;
        a->extreme[i] = y > a->extreme[i] ? y : a->extreme[i];
      }
    else if (a->kind == l2) for (int i = 0; i < COLUMNS; i++) a->sum[i] += (double)x[i] * x[i];
    else if (a->kind == prod) for (int i = 0; i < COLUMNS; i++) a->sum[i] *= x[i];
    else for (int i = 0; i < COLUMNS; i++) a->sum[i] += x[i];
  }
}
static void reduce_columns(char *const *p, const int64_t *step, uint64_t n, const reduce_context *r, bp_walk *inner, uint64_t count) {
  for (uint64_t at = 0; at < n; at += COLUMNS) {
    columns a = {.count = n - at < COLUMNS ? n - at : COLUMNS, .format = r->format, .kind = r->kind};
    for (int i = 0; i < COLUMNS; i++) a.sum[i] = r->kind == prod, a.extreme[i] = -INFINITY;
    inner->data[0] = p[1] + (int64_t)at * step[1];
    bp_walk_run(inner, 0, count, column_run, &a);
    for (uint64_t i = 0; i < a.count; i++) {
      accumulator one = {.sum = a.sum[i], .extreme = r->kind == min ? -a.extreme[i] : a.extreme[i], .kind = r->kind, .nan = a.nan[i], .any = 1};
      bp_store_one(p[0] + (int64_t)(at + i) * step[0], r->format, result_of(&one, count));
    }
  }
}

static void reduce_elements(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const reduce_context *r = context;
  bp_walk inner = r->s->reduced;
  uint64_t count = 1;
  for (uint32_t i = 0; i < inner.rank; i++) count *= (uint64_t)inner.extent[i];
  if (n >= COLUMNS / 8 && step[1] == (r->format == BP_FORMAT_F32 ? 4 : 2)) {
    reduce_columns(p, step, n, r, &inner, count);
    return;
  }
  for (uint64_t i = 0; i < n; i++) {
    accumulator a = {.format = r->format, .kind = r->kind, .sum = r->kind == prod};
    inner.data[0] = p[1] + (int64_t)i * step[1];
    bp_walk_run(&inner, 0, count, r->kind >= max ? extreme_run : sum_run, &a);
    bp_store_one(p[0] + (int64_t)i * step[0], r->format, result_of(&a, count));
  }
}

static void reduce(const bp_cpu_call *c, uint64_t begin, uint64_t end, kind kind) {
  split s = split_of(c);
  reduce_context r = {&s, c->in[0].dtype, kind};
  bp_walk_run(&s.kept, begin, end, reduce_elements, &r);
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why)) return 0;
  if (reduced_mask(c) == UINT32_MAX) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->in[0].rank, 0);
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  uint64_t all = bp_elements(&c->in[0]), items = bp_elements(&c->out[0]), each = items ? all / items : 1;
  uint64_t chunk = 8192 / (each ? each : 1), keeps_last = c->in[0].rank && !(reduced_mask(c) >> (c->in[0].rank - 1) & 1);
  bp_plan_items(p, items, keeps_last && chunk < COLUMNS ? COLUMNS : chunk);
}

#define REDUCE(name)                                                                                                      \
  static void name##_run_(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {          \
    (void)phase, (void)worker, reduce(c, begin, end, name);                                                               \
  }                                                                                                                       \
  const bp_cpu_kernel bp_cpu_reduce_##name##_scalar = {"reduce_" #name, "reduce_" #name "_scalar", 0, 0, 0, 0, supports, plan, name##_run_};

REDUCE(sum)
REDUCE(mean)
REDUCE(max)
REDUCE(min)
REDUCE(prod)
REDUCE(l2)
