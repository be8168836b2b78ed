// What rotary_embedding and rms_norm_rope share in every variant: operands, the table of sines, the cut into phases.
//
// Phase 0, an item a token: scratch[t] = F cosines, then F sines of positions[t] * frequencies, rounded from double to float.
// Phase 1, an item a head of a token.
#ifndef BACKPLANE_CPU_ROPE_H
#define BACKPLANE_CPU_ROPE_H
#include "../shared/call.h"

// `norm` 0: rotary_embedding, no weight.
typedef struct rope {
  const bp_cpu_view *x, *y, *weight, *positions, *frequencies;
  int norm, interleaved;
  double epsilon, offset, scale;
} rope;

static const bp_cpu_view rope_absent;

static inline rope rope_of(const bp_cpu_call *c, int norm) {
  if (norm)
    return (rope){&c->in[0], &c->out[0], &c->in[1], &c->in[2], &c->in[3], 1, bp_attr_int(c, BP_RMS_NORM_ROPE_INTERLEAVED, 0) != 0,
                  bp_attr_float(c, BP_RMS_NORM_ROPE_EPSILON, 1e-6), bp_attr_float(c, BP_RMS_NORM_ROPE_WEIGHT_OFFSET, 0),
                  bp_attr_float(c, BP_RMS_NORM_ROPE_SCALE, 1)};
  return (rope){&c->in[0], &c->out[0], &rope_absent, &c->in[1], &c->in[2], 0,
                bp_attr_int(c, BP_ROTARY_EMBEDDING_INTERLEAVED, 0) != 0, 0, 0, bp_attr_float(c, BP_ROTARY_EMBEDDING_SCALE, 1)};
}

static inline int rope_supports(const bp_cpu_call *c, int norm, bp_cpu_refusal *why) {
  uint32_t at = norm ? 2 : 1;
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 3, 0, why)) return 0;
  if (norm && !bp_wants_optional(&c->in[1], BP_FORMAT_F32, 1, 1, why)) return 0;
  if (!bp_wants_indices(&c->in[at], at, why)) return 0;
  if (c->in[at + 1].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, at + 1, 0, 0);
  if (!bp_wants_optional(&c->in[at + 1], BP_FORMAT_F32, 1, at + 1, why)) return 0;
  if (2 * c->in[at + 1].extent[0] > bp_last(&c->in[0])) return bp_refuse(why, BP_REASON_SHAPE, at + 1, bp_last(&c->in[0]) / 2, c->in[at + 1].extent[0]);
  return c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, c->n_in, 0, 0);
}

static inline void rope_plan(const bp_cpu_call *c, int norm, bp_cpu_plan *p) {
  const rope r = rope_of(c, norm);
  uint64_t tokens = (uint64_t)r.positions->extent[0], pairs = (uint64_t)r.frequencies->extent[0];
  *p = (bp_cpu_plan){.phases = 2, .items = {tokens, bp_rows(r.x)}, .grain = {1 + 512 / (pairs + 1), 1 + 8192 / ((uint64_t)bp_last(r.x) + 1)},
                     .scratch_bytes = tokens * pairs * 2 * sizeof(float)};
}

static inline void rope_table(const rope *r, float *table, uint64_t begin, uint64_t end) {
  int64_t pairs = r->frequencies->extent[0];
  for (uint64_t t = begin; t < end; t++) {
    double position = (double)bp_load_index(r->positions, (int64_t)t);
    float *cosine = table + (int64_t)t * pairs * 2, *sine = cosine + pairs;
    for (int64_t i = 0; i < pairs; i++) {
      double angle = position * bp_load_one((const char *)r->frequencies->data + i * r->frequencies->stride[0], BP_FORMAT_F32);
      cosine[i] = (float)cos(angle);
      sine[i] = (float)sin(angle);
    }
  }
}
#endif
