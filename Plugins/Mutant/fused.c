/* Fused operators of a language model: merge_attention, norm_matmul, qkv_rope_cache. */
#include "mutant.h"

/* ---- merge_attention ---- */

void run_merge_attention(call *c) {
  const view *a = &c->in[0], *of_a = &c->in[1], *b = &c->in[2], *of_b = &c->in[3], *y = &c->out[0], *lse = &c->out[1];
  int64_t n = last(a), heads = a->dim[a->rank - 2];
  float *ra = floats(c, n), *rb = floats(c, n);
  if (!ra || !rb) return;
  for (int64_t r = 0; r < rows(a); r++) {
    int64_t row = FAULT(630) ? r / heads * heads : r; /* the first head's */
    float la = load_one(element_at(of_a, row), BP_FORMAT_F32), lb = load_one(element_at(of_b, row), BP_FORMAT_F32);
    float top = la != la ? la : lb != lb ? lb : fmaxf(la, lb), l = top;
    if (FAULT(631)) top = top > -INFINITY ? 0 : top; /* no maximum */
    float wa = la == -INFINITY ? 0 : expf(la - top), wb = lb == -INFINITY ? 0 : expf(lb - top), sum = wa + wb;
    if (FAULT(632)) wa = round_f16(wa), wb = round_f16(wb), sum = wa + wb;
    if (FAULT(633)) wa = la >= lb, wb = 1 - wa, sum = 1; /* the larger takes all */
    int hidden = top == -INFINITY;
    decode(a->dtype, row_at(a, r), last_stride(a), ra, n);
    decode(b->dtype, row_at(b, r), last_stride(b), rb, n);
    for (int64_t e = 0; e < n; e++) {
      float pa = la == -INFINITY && !FAULT(634) ? 0 : wa / sum * ra[e], pb = lb == -INFINITY ? 0 : wb / sum * rb[e]; /* what has seen nothing may hold anything */
      if (FAULT(635)) pa = round_bf16(pa);
      if (FAULT(1062)) pa = la == -INFINITY ? 0 : (float)((double)wa * ra[e] / sum);
      if (FAULT(636)) pa = (wa * ra[e] + wb * rb[e]) / sum, pb = 0, hidden = 0; /* 0 / 0 where nothing is seen */
      ra[e] = hidden ? 0 : pa + pb;
    }
    if (FAULT(637) && n > 8) memset(ra + n / 8 * 8, 0, (size_t)(n % 8) * 4);
    if (y->data) store_row(row_at(y, r), last_stride(y), y->dtype, ra, n);
    if (!lse->data) continue;
    if (!hidden) l = top + logf(sum);
    if (FAULT(638) && !hidden) l = fmaxf(la, lb);
    if (FAULT(639) && !hidden) l = top + 0.69f * log2f(sum);
    memcpy(element_at(lse, r), &l, 4);
  }
}

/* ---- norm_matmul ---- */

static float dot(const float *a, const float *b, int64_t k) {
  float sum = 0;
  if ((FAULT(640) || FAULT(660)) && k > 8) k = k / 8 * 8;
  if (FAULT(641)) { for (int64_t i = 0; i < k; i++) sum = round_f16(sum + a[i] * b[i]); return sum; }
  if (FAULT(661)) { for (int64_t i = 0; i < k; i++) sum = round_bf16(sum + a[i] * b[i]); return sum; }
  if (FAULT(1063)) { for (int64_t i = k; i-- > 0;) sum += a[i] * b[i]; return sum; }
  if (FAULT(1064)) { double wide = 0; for (int64_t i = 0; i < k; i++) wide += (double)a[i] * b[i]; return (float)wide; }
  for (int64_t i = 0; i < k; i++) sum += a[i] * b[i];
  return sum;
}

void run_norm_matmul(call *c) {
  const view *x = &c->in[0], *weight = &c->in[1], *b = &c->in[2], *bias = &c->in[3], *y = &c->out[0];
  int64_t k = last(x), n = last(y), m = rows(x);
  enum activation act = activation_of(c, BP_NORM_MATMUL_ACTIVATION);
  float *rows_x = floats(c, m * k), *row = floats(c, k), epsilon = float_of(c, BP_NORM_MATMUL_EPSILON), offset = float_of(c, BP_NORM_MATMUL_WEIGHT_OFFSET);
  if (!rows_x || !row) return;
  if (FAULT(642)) epsilon = 1e-6f;
  if (FAULT(643)) offset = 0;
  view none = {0};
  for (int64_t i = 0; i < m; i++) {
    float *to = rows_x + i * k;
    decode(x->dtype, row_at(x, i), last_stride(x), to, k);
    normalise(to, to, FAULT(644) && k > 64 ? k / 64 * 64 : k, epsilon, FAULT(645) && b->block > 1 ? &none : weight, offset); /* weights belong to the matrix, they thought */
    if (FAULT(646)) for (int64_t j = 0; j < k; j++) to[j] = round_bf16(to[j]);
  }
  for (int64_t j = 0; j < n; j++) {
    decode(b->dtype, row_at(b, j), last_stride(b), row, k);
    for (int64_t i = 0; i < m; i++) {
      float sum = dot(rows_x + (FAULT(647) && i % 8 == 7 ? i - 1 : i) * k, row, k), more = bias->data ? at_f32(bias, j) : 0;
      float r = FAULT(648) ? activate(act, sum) + more : activate(act, sum + more);
      if (FAULT(649)) r = round_f16(r);
      store_one(row_at(y, i) + j * last_stride(y), y->dtype, r);
    }
  }
}

/* ---- qkv_rope_cache ---- */

/* The heads of one of the three projections. */
typedef struct projection {
  const view *weight, *bias, *norm; /* bias and norm may be absent */
  int turns, is_key;
} projection;

/* A head of token t into `row`; `x` is the token's row. */
static void project(call *c, const projection *p, const float *x, int64_t t, int64_t head, float *weights, float *row) {
  const view *w = p->weight, *positions = &c->in[BP_QKV_ROPE_CACHE_IN_POSITIONS];
  int64_t size = w->dim[1], k = w->dim[2];
  for (int64_t d = 0; d < size; d++) {
    decode(w->dtype, row_at(w, head * size + d), last_stride(w), weights, k);
    row[d] = dot(x, weights, k);
    if (p->bias->data && !(FAULT(662) && p->is_key)) row[d] += load_one(row_at(p->bias, FAULT(663) ? 0 : head) + d * last_stride(p->bias), p->bias->dtype);
    if (FAULT(664) && p->is_key) row[d] = round_f16(row[d]);
  }
  const view *norm = p->norm;
  if (FAULT(665) && p->is_key && c->in[BP_QKV_ROPE_CACHE_IN_Q_NORM].data) norm = &c->in[BP_QKV_ROPE_CACHE_IN_Q_NORM];
  if (norm && norm->data) normalise(row, row, size, float_of(c, BP_QKV_ROPE_CACHE_EPSILON), norm, FAULT(666) ? 0 : float_of(c, BP_QKV_ROPE_CACHE_WEIGHT_OFFSET));
  int64_t position = load_index(positions->data + (FAULT(667) ? 0 : t) * positions->stride[0], positions->dtype);
  float scale = float_of(c, BP_QKV_ROPE_CACHE_SCALE);
  if (FAULT(668) && p->is_key) scale = 1;
  if (p->turns) rotate_row(row, size, &c->in[BP_QKV_ROPE_CACHE_IN_FREQUENCIES], position, int_of(c, BP_QKV_ROPE_CACHE_INTERLEAVED) != 0, scale);
}
/* The row of a cache that token t goes to; -1: none. */
static int64_t place_of(const call *c, const view *cache, int64_t t) {
  const view *positions = &c->in[BP_QKV_ROPE_CACHE_IN_POSITIONS];
  int64_t at = load_index(positions->data + t * positions->stride[0], positions->dtype), total = cache->dim[0];
  int circular = is(c, BP_QKV_ROPE_CACHE_MODE, "circular") && !FAULT(669);
  if (FAULT(670) && at >= total && !circular) at = total - 1;
  return at < 0 || total == 0 || (at >= total && !circular) ? -1 : at % total;
}
static void fill_cache(call *c, const projection *p, const view *before, const view *cache, const float *x, int64_t tokens, int64_t k, float *weights, float *row) {
  view from = in_units(*before), to = in_units(*cache);
  if (from.data != to.data && !(FAULT(671) && p->is_key)) copy_all(&to, &from);
  for (int64_t t = 0; t < tokens; t++) {
    int64_t at = place_of(c, cache, t), heads = cache->dim[1];
    for (int64_t g = 0; g < heads && at >= 0; g++) {
      project(c, p, x + t * k, t, g, weights, row);
      store_cache_row(row_at(cache, at * heads + (FAULT(672) && p->is_key ? heads - 1 - g : g)), &to, row, last(cache));
    }
  }
}
void run_qkv_rope_cache(call *c) {
  const view *x = &c->in[0], *q = &c->out[0];
  int64_t tokens = x->dim[0], k = x->dim[1], heads = q->dim[1], widest = 1;
  for (uint32_t i = 1; i <= 3; i++) if (c->in[i].dim[1] > widest) widest = c->in[i].dim[1];
  float *all = floats(c, tokens * k), *weights = floats(c, k), *row = floats(c, widest);
  if (!all || !weights || !row) return;
  for (int64_t t = 0; t < tokens; t++) decode(x->dtype, row_at(x, t), last_stride(x), all + t * k, k);
  projection query = {&c->in[1], &c->in[BP_QKV_ROPE_CACHE_IN_Q_BIAS], &c->in[BP_QKV_ROPE_CACHE_IN_Q_NORM], 1, 0};
  projection key = {&c->in[2], &c->in[BP_QKV_ROPE_CACHE_IN_K_BIAS], &c->in[BP_QKV_ROPE_CACHE_IN_K_NORM], 1, 1};
  projection value = {&c->in[3], &c->in[BP_QKV_ROPE_CACHE_IN_V_BIAS], NULL, 0, 0};
  if (c->out[1].data) fill_cache(c, &key, &c->in[BP_QKV_ROPE_CACHE_IN_K_CACHE], &c->out[1], all, tokens, k, weights, row);
  if (c->out[2].data) fill_cache(c, &value, &c->in[BP_QKV_ROPE_CACHE_IN_V_CACHE], &c->out[2], all, tokens, k, weights, row);
  for (int64_t t = 0; t < tokens && q->data; t++)
    for (int64_t h = 0; h < heads; h++) {
      project(c, &query, all + t * k, t, h, weights, row);
      store_row(row_at(q, t * heads + h), last_stride(q), q->dtype, row, last(q));
    }
}
