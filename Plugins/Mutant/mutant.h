/* What the files of the mutant share: tensors at run time, the call of one node, and the switch for faults.
 *
 * The mutant is a plain plugin for every operator, correct as it stands. The host's setting `mutant.fault` switches on exactly
 * one deliberate fault of mutant_faults.def (or, from 1000 on, one correct variant): `if (FAULT(17)) …` in the sources. */
#ifndef MUTANT_H
#define MUTANT_H
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "backplane_operators.h"
#include "backplane_plugin.h"

enum { MAX_IN = 16, MAX_OUT = 2, ALIGN = 64, TAG = 0x6d757461, MAX_SCRATCH = 16 };

/* The fault of the calling thread's work; execute and query set it. A fault of an operator is on for its nodes only. */
extern _Thread_local int mutant_active;
#ifndef FAULT /* -DFAULT(id)=0: without any */
#define FAULT(id) (mutant_active == (id))
#endif

/* ---- tensors at run time ---- */

typedef struct view {
  char *data; /* NULL: absent */
  bp_id dtype;
  uint32_t rank;
  int64_t block, block_bytes; /* elements and bytes of a block; 1 and the element's size for plain formats */
  int64_t dim[BP_MAX_DIMS], stride[BP_MAX_DIMS];
} view;

typedef struct attribute {
  uint32_t kind, count;
  int64_t i;
  double f;
  const void *data;
} attribute;

/* One node at work. */
typedef struct call {
  const bp_host *host;
  bp_id op;
  view in[MAX_IN], out[MAX_OUT];
  uint32_t n_in, n_attrs;
  const attribute *attrs;
  bp_status status;
  uint32_t n_scratch;
  struct { void *p; uint64_t bytes; } scratch[MAX_SCRATCH];
} call;

static inline int64_t count(const view *v) {
  int64_t n = 1;
  for (uint32_t i = 0; i < v->rank; i++) n *= v->dim[i];
  return n;
}
static inline int64_t last(const view *v) { return v->rank ? v->dim[v->rank - 1] : 1; }
static inline int64_t last_stride(const view *v) { return v->rank ? v->stride[v->rank - 1] : v->block_bytes; }
static inline int64_t rows(const view *v) {
  int64_t n = 1;
  for (uint32_t i = 0; i + 1 < v->rank; i++) n *= v->dim[i];
  return n;
}
/* Where row `row` (along the last dimension) begins. */
static inline char *row_at(const view *v, int64_t row) {
  char *p = v->data;
  for (int i = (int)v->rank - 2; i >= 0; i--) p += row % v->dim[i] * v->stride[i], row /= v->dim[i];
  return p;
}
/* Where element `i` (a unit of a block format: see in_units) lies. */
static inline char *element_at(const view *v, int64_t i) {
  char *p = v->data;
  for (int d = (int)v->rank - 1; d >= 0; d--) p += i % v->dim[d] * v->stride[d], i /= v->dim[d];
  return p;
}
/* The row of `v`, whose leading dimensions broadcast to those of `like`, that belongs to row `row` of `like`. */
static inline char *broadcast_row(const view *v, const view *like, int64_t row) {
  char *p = v->data;
  int at = (int)v->rank - 2;
  for (int i = (int)like->rank - 2; i >= 0; i--, at--) {
    int64_t index = row % like->dim[i];
    row /= like->dim[i];
    if (at >= 0 && v->dim[at] != 1) p += index * v->stride[at];
  }
  return p;
}

/* ---- values ---- */

static inline uint32_t bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float from_bits(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
static inline float from_f16(uint16_t h) { _Float16 f; memcpy(&f, &h, 2); return (float)f; }
static inline uint16_t to_f16(float f) { _Float16 h = (_Float16)f; uint16_t u; memcpy(&u, &h, 2); return u; }
static inline float from_bf16(uint16_t h) { return from_bits((uint32_t)h << 16); }
static inline uint16_t to_bf16(float f) {
  uint32_t u = bits(f);
  if (f != f) return (uint16_t)(u >> 16 | 0x40);
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
static inline float round_f16(float f) { return from_f16(to_f16(f)); }
static inline float round_bf16(float f) { return from_bf16(to_bf16(f)); }
static inline int is_float(bp_id f) { return f == BP_FORMAT_F32 || f == BP_FORMAT_F16 || f == BP_FORMAT_BF16; }
static inline float flush(float f) { return fabsf(f) < 0x1p-126f ? 0 : f; }
static inline float rounded(float f, bp_id format) { return format == BP_FORMAT_F16 ? round_f16(f) : format == BP_FORMAT_BF16 ? round_bf16(f) : f; }

static inline float load_one(const char *p, bp_id format) {
  uint16_t h;
  float f;
  if (format == BP_FORMAT_F16) return memcpy(&h, p, 2), from_f16(h);
  if (format == BP_FORMAT_BF16) return memcpy(&h, p, 2), from_bf16(h);
  return memcpy(&f, p, 4), f;
}
static inline void store_one(char *p, bp_id format, float f) {
  uint16_t h;
  if (format == BP_FORMAT_F16) h = to_f16(f), memcpy(p, &h, 2);
  else if (format == BP_FORMAT_BF16) h = to_bf16(f), memcpy(p, &h, 2);
  else memcpy(p, &f, 4);
}
static inline int64_t load_index(const char *p, bp_id format) {
  int64_t wide;
  int32_t narrow;
  if (format == BP_FORMAT_I64) return memcpy(&wide, p, 8), wide;
  return memcpy(&narrow, p, 4), narrow;
}
/* n elements of any float or block format. */
void decode(bp_id format, const char *from, int64_t step, float *to, int64_t n);
static inline void store_row(char *to, int64_t step, bp_id format, const float *from, int64_t n) {
  for (int64_t i = 0; i < n; i++) store_one(to + i * step, format, from[i]);
}
static inline float at_f32(const view *v, int64_t i) { return load_one(v->data + i * v->stride[0], v->dtype); }

/* Elements and bytes of a format's block; 0 for a format that the mutant does not know. */
int format_size(bp_id format, int64_t *block, int64_t *bytes);

/* `v` with its last extent counted in blocks. */
static inline view in_units(view v) {
  if (v.block > 1 && v.rank) v.dim[v.rank - 1] /= v.block;
  return v;
}

/* ---- attributes and memory ---- */

static inline int64_t int_of(const call *c, uint32_t i) { return c->attrs[i].i; }
static inline float float_of(const call *c, uint32_t i) { return (float)c->attrs[i].f; }
static inline int is(const call *c, uint32_t i, const char *text) {
  return c->attrs[i].count == strlen(text) && memcmp(c->attrs[i].data, text, c->attrs[i].count) == 0;
}
static inline const int64_t *ints_of(const call *c, uint32_t i) { return c->attrs[i].data; }

/* Memory for this call; given back when the node is done. On NULL the call's status is BP_E_OOM_HOST. */
void *scratch(call *c, int64_t bytes);
static inline float *floats(call *c, int64_t n) { return scratch(c, n * 4); }

/* ---- functions that several files need ---- */

enum activation { ACT_NONE, ACT_RELU, ACT_SILU, ACT_GELU_TANH, ACT_GELU_ERF };
static inline float activate(enum activation a, float x) {
  switch (a) {
  case ACT_RELU: return x > 0 || x != x ? x : 0;
  case ACT_SILU: return (float)(x / (1 + exp(-(double)x)));
  case ACT_GELU_TANH: return (float)(x / (1 + exp(-1.59576912160573071176 * (x + 0.044715 * x * x * x))));
  case ACT_GELU_ERF: return (float)(0.5 * x * erfc(-0.70710678118654752440 * x));
  default: return x;
  }
}

/* A kernel of this plugin. */
typedef void (*kernel_fn)(call *);
typedef struct kernel {
  bp_id op;
  const char *name;
  uint32_t required;    /* operands that must be there */
  const char *operands; /* of each input: f float, b float or block, w block, p plain, a any, n f32, i index, q cache, m mask,
                           c castable, d float or i32; the last repeats */
  uint32_t repeats;     /* more operands may follow, like the last */
  kernel_fn run;
} kernel;
const kernel *kernel_for(bp_id op);

#define KERNELS(X)                                                                                                              \
  X(abs) X(neg) X(relu) X(square) X(sqrt) X(rsqrt) X(reciprocal) X(exp) X(log) X(sin) X(cos) X(tanh) X(erf) X(sigmoid) X(silu)     \
  X(softplus) X(gelu) X(scale) X(softcap) X(clip) X(add) X(sub) X(mul) X(div) X(max) X(min) X(gated_activation) X(cast)            \
  X(reshape) X(transpose) X(slice) X(concat) X(pad) X(reduce_sum) X(reduce_mean) X(reduce_max) X(argmax) X(rms_norm)               \
  X(add_rms_norm) X(layer_norm) X(rotary_embedding) X(rms_norm_rope) X(softmax) X(tensor_scatter) X(gather) X(dequantize)          \
  X(matmul) X(matmul_gated) X(attention)
#define DECLARE(op) void run_##op(call *);
KERNELS(DECLARE)
#undef DECLARE
#endif
