/* attention: one query of one head after the other; keys and values of the batch decoded whole. */
#include "mutant.h"

typedef struct problem {
  call *c;
  int64_t t, h, d, s, g, e; /* queries, heads, head size, keys, key heads, value size */
  float scale, softcap;
  int causal;
  int64_t window;
  float *q, *k, *v, *score, *y, *part;
} problem;

static const view *mask_of(const problem *p) { return &p->c->in[BP_ATTENTION_IN_MASK]; }
static const view *sinks_of(const problem *p) { return &p->c->in[BP_ATTENTION_IN_SINKS]; }
static const view *slopes_of(const problem *p) { return &p->c->in[BP_ATTENTION_IN_ALIBI_SLOPES]; }

/* Row `row` of a tensor [..., N, heads, size], `at` its head, in batch `batch`. */
static char *head_row(const view *v, int64_t batch, int64_t row, int64_t head) {
  return row_at(v, (batch * v->dim[v->rank - 3] + row) * v->dim[v->rank - 2] + head);
}

static float dot(const float *a, const float *b, int64_t n) {
  float sum = 0;
  if (FAULT(350)) { for (int64_t i = 0; i < n; i++) sum = round_f16(sum + a[i] * b[i]); return sum; }
  if (FAULT(351)) n = n > 8 ? n / 8 * 8 : n;
  if (FAULT(1050)) { for (int64_t i = n; i-- > 0;) sum += a[i] * b[i]; return sum; }
  if (FAULT(1051)) { for (int64_t i = 0; i < n; i++) sum = fmaf(a[i], b[i], sum); return sum; }
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* The score of key j for query t of head h with everything added; -infinity where it is hidden. */
static float score_of(const problem *p, int64_t t, int64_t h, int64_t j) {
  int64_t own = t + p->s - p->t, head = h / (p->h / p->g);
  if (FAULT(352)) own = t;                            /* aligned at the top left */
  if (FAULT(353)) head = h % p->g;                    /* heads dealt in turn */
  int64_t edge = own;
  if (FAULT(354)) edge = own + 1;                     /* sees one key of the future */
  if (p->causal && j > edge) return -INFINITY;
  int64_t window = p->window;
  if (FAULT(355) && window > 0) window++;             /* one more than the window */
  if (FAULT(356) && window > 1) window--;
  if (window > 0 && j <= own - window) return -INFINITY;
  const view *mask = mask_of(p);
  float m = 0;
  if (mask->data) {
    const char *at = mask->data + (FAULT(357) ? (t % 2 && t + 1 == p->t ? t - 1 : t) : t) * mask->stride[0] + j * mask->stride[1];
    m = mask->dtype == BP_FORMAT_BOOL ? (*at != (FAULT(358) ? 1 : 0) ? 0 : -INFINITY) : load_one(at, mask->dtype);
    if (FAULT(359) && m < -30) m = -30;
    if (FAULT(360) && m == -INFINITY) m = -65504;
    if (m == -INFINITY) return m;
  }
  const float *q = p->q, *k = p->k + (j * p->g + head) * p->d;
  float scale = p->scale;
  if (FAULT(361)) scale = round_f16(scale);
  float z = dot(q, k, p->d) * scale;
  if (FAULT(362) && h == p->h - 1) z *= 1.01f;
  if (FAULT(363) && m != 0) z += m, m = 0;
  if (p->softcap > 0) z = FAULT(364) ? p->softcap * tanhf(z) : p->softcap * tanhf(z / p->softcap);
  z += m;
  if (slopes_of(p)->data) {
    int64_t distance = j - own;
    if (FAULT(365)) distance = j - t;
    if (FAULT(366)) distance = distance < -127 ? -127 : distance;
    z += at_f32(slopes_of(p), FAULT(367) ? head : h) * (float)distance;
  }
  return z;
}

static float exponential(float x) {
  if (FAULT(1052)) return exp2f(x * 1.44269504f);
  if (FAULT(368)) return x < -10 ? 0 : expf(x);
  return expf(x);
}

static int rescale_lost(void) { return FAULT(370); }
static int values_lost(void) { return FAULT(371); } /* the sum is scaled, the values are not */

/* A running softmax over the keys [begin, end): largest score, sum of weights, weighted values. */
typedef struct state { float top, sum; float *y; } state;

static void absorb(const problem *p, state *s, int64_t h, int64_t begin, int64_t end) {
  int64_t head = h / (p->h / p->g);
  float top = s->top;
  for (int64_t j = begin; j < end && top == top; j++) if (!(p->score[j] <= top)) top = p->score[j]; /* NaN stays */
  if (FAULT(369)) top = top > -INFINITY ? 0 : top;
  if (top == -INFINITY) return;
  float rescale = s->top == -INFINITY ? 0 : expf(s->top - top);
  int64_t last_key = end;
  if (rescale_lost()) rescale = s->top == -INFINITY ? 0 : 1; /* neither sum nor values */
  for (int64_t e = 0; e < p->e; e++) s->y[e] *= values_lost() && s->top != -INFINITY ? 1 : rescale;
  s->sum *= rescale;
  if (FAULT(372) && end == p->s && end % 8 && end > 8) last_key = end - 1;
  for (int64_t j = begin; j < last_key; j++) {
    if (p->score[j] == -INFINITY) continue;
    float w = exponential(p->score[j] - top);
    s->sum += FAULT(373) ? round_f16(w) : w;
    if (FAULT(1059)) w = round_f16(w);
    if (FAULT(374)) w = round_bf16(w);
    if (FAULT(375)) { if (w < 0x1p-14f) w = 0; }
    if (FAULT(376) && w == 0) continue;
    const float *v = p->v + (j * p->g + head) * p->e;
    for (int64_t e = 0; e < p->e; e++) s->y[e] += w * v[e];
    if (FAULT(377)) for (int64_t e = 0; e < p->e; e++) s->y[e] = round_f16(s->y[e]);
  }
  s->top = top;
}
/* a takes in b: the end of a split over keys. */
static void merge(const problem *p, state *a, const state *b) {
  if (b->top == -INFINITY) return;
  float top = a->top > b->top ? a->top : b->top != b->top ? b->top : a->top != a->top ? a->top : b->top;
  float of_a = a->top == -INFINITY ? 0 : expf(a->top - top), of_b = expf(b->top - top);
  if (FAULT(378)) of_a = of_b = 1;
  for (int64_t e = 0; e < p->e; e++) a->y[e] = a->y[e] * of_a + b->y[e] * of_b;
  a->sum = a->sum * of_a + b->sum * of_b;
  a->top = top;
}
/* All keys: in blocks of `block`, or in `parts` that are merged. */
static state attend(const problem *p, int64_t h) {
  int64_t block = 0, parts = 1;
  if (rescale_lost() || values_lost()) block = 16;
  if (FAULT(1053)) block = 1;
  if (FAULT(1054)) block = 32;
  if (FAULT(1055)) block = 7;
  if (FAULT(1056)) parts = 2;
  if (FAULT(1057)) parts = 3;
  if (FAULT(1058)) parts = 8;
  state s = {-INFINITY, 0, p->y};
  memset(p->y, 0, (size_t)p->e * 4);
  if (FAULT(379)) { /* two halves, the second is not merged when it is the smaller part */
    absorb(p, &s, h, 0, p->s > 64 ? 64 : p->s);
    return s;
  }
  for (int64_t part = 0; part < parts; part++) {
    int64_t begin = p->s * part / parts, end = p->s * (part + 1) / parts, step = block ? block : end - begin;
    state own = {-INFINITY, 0, p->part};
    memset(p->part, 0, (size_t)p->e * 4);
    for (int64_t j = begin; j < end; j += step) absorb(p, &own, h, j, j + step < end ? j + step : end);
    if (parts == 1) { memcpy(p->y, p->part, (size_t)p->e * 4); own.y = p->y; return own; }
    merge(p, &s, &own);
  }
  return s;
}

static void one_query(const problem *p, int64_t batch, int64_t t, int64_t h) {
  call *c = p->c;
  const view *q = &c->in[0], *y = &c->out[0], *lse = &c->out[1];
  decode(q->dtype, head_row(q, batch, t, h), last_stride(q), p->q, p->d);
  for (int64_t j = 0; j < p->s; j++) p->score[j] = score_of(p, t, h, j);
  state s = attend(p, h);
  if (sinks_of(p)->data && !FAULT(380)) {
    state sink = {at_f32(sinks_of(p), FAULT(381) ? h / (p->h / p->g) : h), 1, p->part};
    memset(p->part, 0, (size_t)p->e * 4);
    merge(p, &s, &sink);
  }
  int seen = s.top > -INFINITY || s.top != s.top;
  for (int64_t e = 0; e < p->e; e++) p->y[e] = seen || FAULT(382) ? p->y[e] / s.sum : 0;
  if (FAULT(383)) for (int64_t e = 0; e < p->e; e++) p->y[e] = round_bf16(p->y[e]);
  store_row(head_row(y, batch, t, h), last_stride(y), y->dtype, p->y, p->e);
  if (!lse->data) return;
  float l = seen ? s.top + logf(s.sum) : -INFINITY;
  if (FAULT(385) && seen) l = (s.top + log2f(s.sum) * 0.69f);
  if (FAULT(386) && !seen) l = 0;
  char *to = element_at(lse, (batch * p->t + t) * p->h + h);
  memcpy(to, &l, 4);
}

void run_attention(call *c) {
  const view *q = &c->in[0], *k = &c->in[1], *v = &c->in[2];
  problem p = {.c = c, .t = q->dim[q->rank - 3], .h = q->dim[q->rank - 2], .d = last(q), .s = k->dim[k->rank - 3], .g = k->dim[k->rank - 2], .e = last(v)};
  p.scale = float_of(c, BP_ATTENTION_SCALE), p.softcap = float_of(c, BP_ATTENTION_SOFTCAP);
  if (p.scale == 0) p.scale = 1 / sqrtf((float)(FAULT(387) ? p.e : p.d));
  p.causal = int_of(c, BP_ATTENTION_CAUSAL) != 0, p.window = int_of(c, BP_ATTENTION_WINDOW);
  if (FAULT(388) && p.window > 0) p.causal = 1;
  p.q = floats(c, p.d), p.y = floats(c, p.e), p.part = floats(c, p.e), p.score = floats(c, p.s);
  p.k = floats(c, p.s * p.g * p.d), p.v = floats(c, p.s * p.g * p.e);
  if (c->status != BP_OK) return;
  int64_t batches = 1;
  for (uint32_t i = 0; i + 3 < q->rank; i++) batches *= q->dim[i];
  if (p.t == 0 || p.h == 0) return;
  for (int64_t b = 0; b < batches; b++) {
    for (int64_t j = 0; j < p.s; j++)
      for (int64_t g = 0; g < p.g; g++) {
        decode(k->dtype, head_row(k, b, j, g), last_stride(k), p.k + (j * p.g + g) * p.d, p.d);
        decode(v->dtype, head_row(v, FAULT(389) ? 0 : b, j, g), last_stride(v), p.v + (j * p.g + g) * p.e, p.e);
      }
    for (int64_t t = 0; t < p.t; t++)
      for (int64_t h = 0; h < p.h; h++) one_query(&p, b, t, h);
  }
}
