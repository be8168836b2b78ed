// An attention call, taken apart the same way for every instruction set.
#ifndef BACKPLANE_CPU_ATTENTION_PROBLEM_H
#define BACKPLANE_CPU_ATTENTION_PROBLEM_H
#include "../shared/call.h"
#include "../shared/decode.h"

typedef struct bp_attention {
  int64_t batches, t, s, h, g, d, e; // queries, keys, heads, key heads, width of keys, width of values
  int64_t group;                     // query heads that share a key head
  float scale, softcap;
  int64_t causal, window;
  const bp_cpu_view *q, *k, *v, *y, *mask, *sinks, *alibi, *lse; // the last four NULL when absent
} bp_attention;

static inline const bp_cpu_view *bp_present(const bp_cpu_view *v) { return v->dtype ? v : 0; }

static inline bp_attention bp_attention_of(const bp_cpu_call *c) {
  const bp_cpu_view *q = &c->in[0], *k = &c->in[1], *v = &c->in[2];
  bp_attention p = {.batches = 1, .q = q, .k = k, .v = v, .y = &c->out[0],
                    .mask = c->n_in > 3 ? bp_present(&c->in[3]) : 0, .sinks = c->n_in > 4 ? bp_present(&c->in[4]) : 0,
                    .alibi = c->n_in > 5 ? bp_present(&c->in[5]) : 0, .lse = c->n_out > 1 ? bp_present(&c->out[1]) : 0};
  p.t = q->extent[q->rank - 3];
  p.h = q->extent[q->rank - 2];
  p.d = q->extent[q->rank - 1];
  p.s = k->extent[k->rank - 3];
  p.g = k->extent[k->rank - 2];
  p.e = v->extent[v->rank - 1];
  p.group = p.g && p.h ? p.h / p.g : 1;
  for (uint32_t i = 0; i + 3 < q->rank; i++) p.batches *= q->extent[i];
  double scale = bp_attr_float(c, BP_ATTENTION_SCALE, 0);
  p.scale = (float)(scale != 0 ? scale : 1 / sqrt((double)p.d));
  p.causal = bp_attr_int(c, BP_ATTENTION_CAUSAL, 0);
  p.window = bp_attr_int(c, BP_ATTENTION_WINDOW, 0);
  p.softcap = (float)bp_attr_float(c, BP_ATTENTION_SOFTCAP, 0);
  return p;
}

// Address of batch `index` in an operand whose last `inner` dimensions are not batches.
static inline char *bp_attention_batch(const bp_cpu_view *v, uint32_t inner, int64_t index) {
  char *at = v->data;
  for (uint32_t i = v->rank - inner; i-- > 0;) {
    at += index % v->extent[i] * v->stride[i];
    index /= v->extent[i];
  }
  return at;
}

// The keys that query t may see, masks apart: [*begin, *end).
static inline void bp_attention_range(const bp_attention *p, int64_t t, int64_t *begin, int64_t *end) {
  int64_t at = t + p->s - p->t;
  *begin = p->window > 0 && at - p->window + 1 > 0 ? at - p->window + 1 : 0;
  *end = p->causal && at + 1 < p->s ? at + 1 : p->s;
  if (*begin > p->s) *begin = p->s;
  if (*end < *begin) *end = *begin;
}

static inline float bp_mask_at(const bp_cpu_view *mask, int64_t t, int64_t j) {
  const char *at = (const char *)mask->data + t * mask->stride[0] + j * mask->stride[1];
  return mask->dtype == BP_FORMAT_BOOL ? (*at ? 0 : -INFINITY) : bp_load_one(at, mask->dtype);
}

static inline int bp_attention_format(bp_id f) { return bp_is_float(f) || f == BP_FORMAT_Q8_0 || f == BP_FORMAT_Q4_0; }

static inline int bp_attention_supported(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 3, 0, why)) return 0;
  for (uint32_t i = 1; i < 3; i++) {
    const bp_cpu_view *v = &c->in[i];
    if (!bp_attention_format(v->dtype)) return bp_refuse(why, BP_REASON_DTYPE, i, 0, 0);
    if (!bp_wants_rank(v, 3, i, why)) return 0;
    int64_t step = v->stride[v->rank - 1];
    if (!bp_is_float(v->dtype) && step != v->block_bytes) return bp_refuse(why, BP_REASON_LAYOUT, i, v->block_bytes, step);
  }
  if (c->n_in > 3 && c->in[3].dtype) {
    bp_id f = c->in[3].dtype;
    if (f != BP_FORMAT_F32 && f != BP_FORMAT_F16 && f != BP_FORMAT_BOOL) return bp_refuse(why, BP_REASON_DTYPE, 3, 0, 0);
    if (c->in[3].rank != 2) return bp_refuse(why, BP_REASON_RANK, 3, 2, c->in[3].rank);
  }
  for (uint32_t i = 4; i < 6 && i < c->n_in; i++)
    if (!bp_wants_optional(&c->in[i], BP_FORMAT_F32, 1, i, why)) return 0;
  return bp_wants_float(&c->out[0], c->n_in, why);
}

static inline float bp_vector_at(const bp_cpu_view *v, int64_t i) { return bp_load_one((const char *)v->data + i * v->stride[0], BP_FORMAT_F32); }

// A row of keys or values as floats.
static inline void bp_attention_row(const bp_cpu_view *v, const char *from, float *to, int64_t n) {
  if (bp_is_float(v->dtype)) bp_load_run(to, from, v->stride[v->rank - 1], (uint64_t)n, v->dtype);
  else bp_cpu_decode_row(v->dtype, from, to, n);
}
#endif
