// A matmul or matmul_gated call, taken apart the same way for every instruction set.
#ifndef BACKPLANE_CPU_MATMUL_PROBLEM_H
#define BACKPLANE_CPU_MATMUL_PROBLEM_H
#include "../shared/call.h"
#include "../shared/decode.h"

enum { BP_ACT_NONE, BP_ACT_RELU, BP_ACT_SILU, BP_ACT_GELU_TANH, BP_ACT_GELU_ERF };

typedef struct bp_matmul {
  int64_t m, n, k, batches;  // y is `batches` matrices [m, n]
  uint32_t sources;          // 1; 2 for matmul_gated, whose b[0] is gate and b[1] is up
  uint32_t folded;           // leading dimensions stand in m
  uint32_t activation;       // BP_ACT_…
  bp_cpu_view a, b[2], y;
  const bp_cpu_view *bias, *residual; // NULL when absent
  int64_t a_row, a_step;     // bytes from row to row of a, and along k
  int64_t b_row[2], b_step[2]; // bytes from output column to output column, and along k (of a block for block formats)
  int64_t y_row, y_step, r_row, r_step;
} bp_matmul;

// How the product is dealt out: items of output columns and, where those are fewer than wanted, of parts of the strips of rows.
typedef struct bp_matmul_deal {
  int64_t columns; // output columns an item
  int64_t blocks;  // of columns
  int64_t strips;  // of rows, a batch
  int64_t shares;  // parts that the strips are dealt into, an item each
} bp_matmul_deal;

// What an item computes: `count` columns from `n` of a batch, strips `first` to `last` of rows.
typedef struct bp_matmul_item {
  int64_t batch, n, count, first, last;
} bp_matmul_item;

static inline bp_matmul_item bp_matmul_item_of(const bp_matmul *p, const bp_matmul_deal *d, uint64_t item) {
  int64_t share = (int64_t)item % d->shares, block = (int64_t)item / d->shares % d->blocks, n = block * d->columns;
  return (bp_matmul_item){.batch = (int64_t)item / d->shares / d->blocks, .n = n, .count = p->n - n < d->columns ? p->n - n : d->columns,
                          .first = share * d->strips / d->shares, .last = (share + 1) * d->strips / d->shares};
}

// Shares so that there are `wanted` items, of two strips at least.
static inline int64_t bp_matmul_shares(const bp_matmul *p, const bp_matmul_deal *d, int64_t wanted) {
  int64_t have = d->blocks * p->batches, shares = have && have < wanted ? (wanted + have - 1) / have : 1;
  return shares <= (d->strips + 1) / 2 ? shares : d->strips > 1 ? (d->strips + 1) / 2 : 1;
}

// Where the matrices of one batch begin.
typedef struct bp_matmul_batch {
  const char *a, *b[2], *residual;
  char *y;
} bp_matmul_batch;

static inline uint32_t bp_activation_of(const bp_cpu_call *c, uint32_t index) {
  static const char *const names[][2] = {{"relu", "reglu"}, {"silu", "swiglu"}, {"gelu_tanh", "geglu_tanh"}, {"gelu_erf", "geglu_erf"}};
  for (uint32_t i = 0; i < 4; i++)
    if (bp_attr_is(c, index, names[i][0]) || bp_attr_is(c, index, names[i][1])) return i + 1;
  return BP_ACT_NONE;
}

// 1 when the dimensions before the last one are steps of one stride: they can be counted as one.
static inline int bp_leading_is_even(const bp_cpu_view *v) {
  for (uint32_t i = 0; i + 2 < v->rank; i++)
    if (v->extent[i] != 1 && v->stride[i] != v->stride[i + 1] * v->extent[i + 1]) return 0;
  return 1;
}
static inline int bp_same_leading(const bp_cpu_view *v, const bp_cpu_view *y) {
  if (v->rank != y->rank) return 0;
  for (uint32_t i = 0; i + 2 < y->rank; i++)
    if (v->extent[i] != y->extent[i]) return 0;
  return 1;
}

static inline bp_matmul bp_matmul_of(const bp_cpu_call *c, int gated) {
  bp_matmul p = {.sources = gated ? 2 : 1, .a = c->in[0], .b = {c->in[1], c->in[gated ? 2 : 1]}, .y = c->out[0], .batches = 1};
  if (!gated && c->n_in > 2 && c->in[2].dtype) p.bias = &c->in[2];
  if (!gated && c->n_in > 3 && c->in[3].dtype) p.residual = &c->in[3];
  int transposed = gated || bp_attr_int(c, BP_MATMUL_TRANSPOSE_B, 1) == 1;
  p.activation = bp_activation_of(c, gated ? BP_MATMUL_GATED_ACTIVATION : BP_MATMUL_ACTIVATION);
  if (gated && p.activation == BP_ACT_NONE) p.activation = BP_ACT_SILU;
  uint32_t ra = p.a.rank, ry = p.y.rank;
  p.m = p.y.extent[ry - 2];
  p.n = p.y.extent[ry - 1];
  p.k = p.a.extent[ra - 1];
  p.a_row = p.a.stride[ra - 2];
  p.a_step = p.a.stride[ra - 1];
  p.y_row = p.y.stride[ry - 2];
  p.y_step = p.y.stride[ry - 1];
  int one_b = 1, even = bp_same_leading(&p.a, &p.y) && bp_leading_is_even(&p.a) && bp_leading_is_even(&p.y);
  for (uint32_t s = 0; s < 2; s++) {
    uint32_t rb = p.b[s].rank;
    p.b_row[s] = p.b[s].stride[transposed ? rb - 2 : rb - 1];
    p.b_step[s] = p.b[s].stride[transposed ? rb - 1 : rb - 2];
    for (uint32_t i = 0; i + 2 < rb; i++) one_b &= p.b[s].extent[i] == 1;
  }
  if (p.residual) {
    p.r_row = p.residual->stride[p.residual->rank - 2];
    p.r_step = p.residual->stride[p.residual->rank - 1];
    even = even && bp_same_leading(p.residual, &p.y) && bp_leading_is_even(p.residual);
  }
  for (uint32_t i = 0; i + 2 < ry; i++) p.batches *= p.y.extent[i];
  if (one_b && even && p.batches > 1) {
    p.folded = 1;
    p.m *= p.batches;
    p.batches = 1;
    // A single row has no row stride of its own: take the innermost one that counts.
    for (uint32_t i = ry - 1; i-- > 0;)
      if (p.y.extent[i] != 1) {
        p.a_row = p.a.stride[i];
        p.y_row = p.y.stride[i];
        if (p.residual) p.r_row = p.residual->stride[i];
        break;
      }
  }
  return p;
}

// Address of batch `index` (over y's leading dimensions) in an operand whose leading dimensions broadcast.
static inline char *bp_batch_address(const bp_cpu_view *v, const bp_cpu_view *y, int64_t index) {
  char *at = v->data;
  for (uint32_t i = y->rank - 2; i-- > 0;) {
    int64_t at_dim = index % y->extent[i], own = (int64_t)i + v->rank - y->rank;
    index /= y->extent[i];
    if (own >= 0 && v->extent[own] != 1) at += at_dim * v->stride[own];
  }
  return at;
}
static inline bp_matmul_batch bp_matmul_batch_of(const bp_matmul *p, int64_t index) {
  if (p->folded) index = 0;
  return (bp_matmul_batch){bp_batch_address(&p->a, &p->y, index),
                           {bp_batch_address(&p->b[0], &p->y, index), bp_batch_address(&p->b[1], &p->y, index)},
                           p->residual ? bp_batch_address(p->residual, &p->y, index) : 0, bp_batch_address(&p->y, &p->y, index)};
}

static inline int bp_matmul_supported(const bp_cpu_call *c, int gated, bp_cpu_refusal *why) {
  uint32_t weights = gated ? 2 : 1;
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 2, 0, why)) return 0;
  for (uint32_t s = 1; s <= weights; s++) {
    const bp_cpu_view *b = &c->in[s];
    if (b->dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, s, 0, 0);
    if (!bp_cpu_decoder(b->dtype)) return bp_refuse(why, BP_REASON_DTYPE, s, 0, 0);
    if (!bp_wants_rank(b, 2, s, why)) return 0;
    int64_t step = b->stride[b->rank - 1];
    if (!bp_is_float(b->dtype) && step != b->block_bytes) return bp_refuse(why, BP_REASON_LAYOUT, s, b->block_bytes, step);
  }
  if (!gated && c->n_in > 2 && c->in[2].dtype && !bp_wants_optional(&c->in[2], BP_FORMAT_F32, 1, 2, why)) return 0;
  if (!gated && c->n_in > 3 && c->in[3].dtype && (!bp_wants_float(&c->in[3], 3, why) || !bp_wants_rank(&c->in[3], 2, 3, why))) return 0;
  return bp_wants_float(&c->out[0], c->n_in, why);
}

static inline float bp_activate(uint32_t activation, float x) {
  switch (activation) {
  case BP_ACT_RELU: return x < 0 ? 0 : x;
  case BP_ACT_SILU: return x / (1 + expf(-x));
  case BP_ACT_GELU_TANH: return x / (1 + expf(-1.5957691216057308f * (x + 0.044715f * x * x * x)));
  case BP_ACT_GELU_ERF: return 0.5f * x * erfcf(-0.70710678118654752f * x);
  default: return x;
  }
}

// Bias, activation, residual and rounding for `count` sums of row m from column n on. `up` are the second sums of
// matmul_gated, else NULL; `sums` is overwritten.
static inline void bp_matmul_finish(const bp_matmul *p, const bp_matmul_batch *at, int64_t m, int64_t n, int64_t count, float *sums, const float *up) {
  if (p->bias)
    for (int64_t i = 0; i < count; i++) sums[i] += *(const float *)((const char *)p->bias->data + (n + i) * p->bias->stride[0]);
  if (p->activation)
    for (int64_t i = 0; i < count; i++) sums[i] = bp_activate(p->activation, sums[i]);
  if (up)
    for (int64_t i = 0; i < count; i++) sums[i] *= up[i];
  if (p->residual) {
    const char *r = at->residual + m * p->r_row + n * p->r_step;
    for (int64_t i = 0; i < count; i++) sums[i] += bp_load_one(r + i * p->r_step, p->residual->dtype);
  }
  bp_store_run(at->y + m * p->y_row + n * p->y_step, p->y_step, sums, (uint64_t)count, p->y.dtype);
}

// Row n of source s as floats: k of them.
static inline void bp_matmul_weights(const bp_matmul *p, const bp_matmul_batch *at, uint32_t s, int64_t n, float *to) {
  const char *from = at->b[s] + n * p->b_row[s];
  if (bp_is_float(p->b[s].dtype)) bp_load_run(to, from, p->b_step[s], (uint64_t)p->k, p->b[s].dtype);
  else bp_cpu_decode_row(p->b[s].dtype, from, to, p->k);
}

static inline uint64_t bp_round_up(uint64_t x, uint64_t to) { return (x + to - 1) / to * to; }
#endif
