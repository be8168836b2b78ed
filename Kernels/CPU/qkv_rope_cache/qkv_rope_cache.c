// qkv_rope_cache in every instruction set: the kernels of its parts, the heads between them in scratch.
//
// wq, wk, wv  any strides; heads that lie one behind the other are one matrix.
// keys, values may be the caches.
#include "../shared/parts.h"

typedef struct kernels { // NULL at the end of each
  const bp_cpu_kernel *matmul[4], *add[4], *rope[4], *norm_rope[4], *scatter[4];
  int rounds; // at least one product must round activations to 8 bits: what never does has a kernel that declares nothing
} kernels;

#define SCALAR(op) &bp_cpu_##op##_scalar
extern const bp_cpu_kernel bp_cpu_matmul_scalar, bp_cpu_add_scalar, bp_cpu_rotary_embedding_scalar, bp_cpu_rms_norm_rope_scalar, bp_cpu_tensor_scatter_scalar;
static const kernels scalar = {{SCALAR(matmul)}, {SCALAR(add)}, {SCALAR(rotary_embedding)}, {SCALAR(rms_norm_rope)}, {SCALAR(tensor_scatter)}, 0};
// The vector kernels of one instruction set, after those that take every call.
#define OF_ISA(isa)                                                                                                       \
  extern const bp_cpu_kernel bp_cpu_matmul_##isa, bp_cpu_add_f32_##isa, bp_cpu_rotary_embedding_f32_##isa;                \
  extern const bp_cpu_kernel bp_cpu_rms_norm_rope_f32_##isa, bp_cpu_tensor_scatter_f16_f32_##isa;                         \
  static const kernels isa = {{SCALAR(matmul), &bp_cpu_matmul_##isa}, {SCALAR(add), &bp_cpu_add_f32_##isa},               \
                              {SCALAR(rotary_embedding), &bp_cpu_rotary_embedding_f32_##isa},                             \
                              {SCALAR(rms_norm_rope), &bp_cpu_rms_norm_rope_f32_##isa},                                   \
                              {SCALAR(tensor_scatter), &bp_cpu_tensor_scatter_f16_f32_##isa}, 0};
// The same with products of activations that are rounded to 8 bits where the weights' format has such.
#define I8_OF_ISA(i8, isa)                                                                                                \
  extern const bp_cpu_kernel bp_cpu_matmul_##i8;                                                                          \
  static const kernels i8 = {{SCALAR(matmul), &bp_cpu_matmul_##isa, &bp_cpu_matmul_##i8}, {SCALAR(add), &bp_cpu_add_f32_##isa}, \
                             {SCALAR(rotary_embedding), &bp_cpu_rotary_embedding_f32_##isa},                              \
                             {SCALAR(rms_norm_rope), &bp_cpu_rms_norm_rope_f32_##isa},                                    \
                             {SCALAR(tensor_scatter), &bp_cpu_tensor_scatter_f16_f32_##isa}, 1};
#if defined(__x86_64__)
OF_ISA(avx2)
OF_ISA(avx512)
I8_OF_ISA(i8_avx2, avx2)
I8_OF_ISA(i8_avxvnni, avx2)
I8_OF_ISA(i8_avx512vnni, avx512)
I8_OF_ISA(i8_amxmodel, avx2)
I8_OF_ISA(i8_amx, avx512)
#elif defined(__aarch64__)
OF_ISA(neon)
I8_OF_ISA(i8_dotprod, neon)
I8_OF_ISA(i8_i8mm, neon)
#endif

typedef struct parts { bp_part part[10]; uint32_t count; uint64_t used; } parts;

static bp_part *add_part(parts *p, const bp_cpu_call *c, uint32_t n_in) {
  bp_part *part = &p->part[p->count++];
  part->call.n_in = n_in, part->call.n_out = 1, part->call.workers = c->workers, part->call.numerics = c->numerics, part->call.attrs = part->attrs;
  return part;
}
static int choose(bp_part *part, const bp_cpu_kernel *const *of, bp_cpu_refusal *why) { return (part->kernel = bp_part_kernel(part, of, why)) != 0; }

// heads[T, H, D] = x w^T, and the bias.
static int project(const bp_cpu_call *c, const kernels *of, parts *p, uint32_t weight, uint32_t bias, bp_cpu_view *heads, bp_cpu_refusal *why) {
  const bp_cpu_view *x = &c->in[BP_QKV_ROPE_CACHE_IN_X];
  bp_cpu_view w = c->in[weight], y = *heads;
  if (w.extent[0] == 1 || w.stride[0] == w.stride[1] * w.extent[1]) { // [H D, K] to [T, H D]
    w.rank = y.rank = 2;
    w.extent[0] *= w.extent[1], y.extent[1] *= y.extent[2];
    w.extent[1] = w.extent[2], w.stride[0] = w.stride[1], w.stride[1] = w.stride[2];
    y.stride[1] = y.stride[2];
  } else { // [H, D, K] to [H, T, D], which are the same places
    y.extent[0] = heads->extent[1], y.extent[1] = heads->extent[0];
    y.stride[0] = heads->stride[1], y.stride[1] = heads->stride[0];
  }
  bp_part *product = add_part(p, c, 2);
  product->call.in[0] = *x, product->call.in[1] = w, product->call.out[0] = y;
  if (!choose(product, of->matmul, why)) return 0;
  if (bias >= c->n_in || !c->in[bias].dtype) return 1;
  bp_part *sum = add_part(p, c, 2);
  sum->call.in[0] = *heads, sum->call.in[1] = c->in[bias], sum->call.out[0] = *heads;
  return choose(sum, of->add, why);
}

// to[T, H, D] = rope(norm(heads)).
static int rotate(const bp_cpu_call *c, const kernels *of, parts *p, uint32_t norm, const bp_cpu_view *heads, const bp_cpu_view *to, bp_cpu_refusal *why) {
  int normed = norm < c->n_in && c->in[norm].dtype != 0;
  bp_part *part = add_part(p, c, normed ? 4 : 3);
  uint32_t at = 0;
  part->call.in[at++] = *heads;
  if (normed) part->call.in[at++] = c->in[norm];
  part->call.in[at++] = c->in[BP_QKV_ROPE_CACHE_IN_POSITIONS];
  part->call.in[at++] = c->in[BP_QKV_ROPE_CACHE_IN_FREQUENCIES];
  part->call.out[0] = *to;
  if (normed) {
    bp_part_attr(part, BP_RMS_NORM_ROPE_EPSILON, c, BP_QKV_ROPE_CACHE_EPSILON);
    bp_part_attr(part, BP_RMS_NORM_ROPE_WEIGHT_OFFSET, c, BP_QKV_ROPE_CACHE_WEIGHT_OFFSET);
  }
  bp_part_attr(part, normed ? BP_RMS_NORM_ROPE_INTERLEAVED : BP_ROTARY_EMBEDDING_INTERLEAVED, c, BP_QKV_ROPE_CACHE_INTERLEAVED);
  bp_part_attr(part, normed ? BP_RMS_NORM_ROPE_SCALE : BP_ROTARY_EMBEDDING_SCALE, c, BP_QKV_ROPE_CACHE_SCALE);
  return choose(part, normed ? of->norm_rope : of->rope, why);
}

static int store(const bp_cpu_call *c, const kernels *of, parts *p, uint32_t cache, uint32_t output, const bp_cpu_view *heads, bp_cpu_refusal *why) {
  bp_part *part = add_part(p, c, 3);
  part->call.in[0] = c->in[cache], part->call.in[1] = *heads, part->call.in[2] = c->in[BP_QKV_ROPE_CACHE_IN_POSITIONS];
  part->call.out[0] = c->out[output];
  bp_part_attr(part, BP_TENSOR_SCATTER_MODE, c, BP_QKV_ROPE_CACHE_MODE);
  return choose(part, of->scatter, why);
}

// 0 when no kernel takes one of the parts.
static int split(const bp_cpu_call *c, const kernels *of, parts *p, bp_cpu_refusal *why) {
  *p = (parts){0};
  const bp_cpu_view *x = &c->in[BP_QKV_ROPE_CACHE_IN_X];
  bp_cpu_view heads[3];
  for (uint32_t i = 0; i < 3; i++) {
    const bp_cpu_view *w = &c->in[BP_QKV_ROPE_CACHE_IN_WQ + i];
    heads[i] = bp_between(x, (int64_t[]){x->extent[0], w->extent[0], w->extent[1]}, 3, c->scratch, &p->used);
  }
  return project(c, of, p, BP_QKV_ROPE_CACHE_IN_WQ, BP_QKV_ROPE_CACHE_IN_Q_BIAS, &heads[0], why) &&
         project(c, of, p, BP_QKV_ROPE_CACHE_IN_WK, BP_QKV_ROPE_CACHE_IN_K_BIAS, &heads[1], why) &&
         project(c, of, p, BP_QKV_ROPE_CACHE_IN_WV, BP_QKV_ROPE_CACHE_IN_V_BIAS, &heads[2], why) &&
         rotate(c, of, p, BP_QKV_ROPE_CACHE_IN_Q_NORM, &heads[0], &c->out[0], why) &&
         rotate(c, of, p, BP_QKV_ROPE_CACHE_IN_K_NORM, &heads[1], &heads[1], why) &&
         store(c, of, p, BP_QKV_ROPE_CACHE_IN_K_CACHE, 1, &heads[1], why) && store(c, of, p, BP_QKV_ROPE_CACHE_IN_V_CACHE, 2, &heads[2], why);
}

static int supports(const bp_cpu_call *c, const kernels *of, bp_cpu_refusal *why) {
  parts p;
  for (uint32_t i = 0; i <= BP_QKV_ROPE_CACHE_IN_V_CACHE; i++) {
    uint32_t rank = i == BP_QKV_ROPE_CACHE_IN_X ? 2 : i == BP_QKV_ROPE_CACHE_IN_POSITIONS || i == BP_QKV_ROPE_CACHE_IN_FREQUENCIES ? 1 : 3;
    if (i >= c->n_in || c->in[i].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, i, 0, 0);
    if (c->in[i].rank != rank) return bp_refuse(why, BP_REASON_RANK, i, rank, c->in[i].rank);
  }
  for (uint32_t i = 0; i < 3; i++) if (c->n_out <= i || !c->out[i].dtype) return bp_refuse(why, BP_REASON_OPERAND_MISSING, c->n_in + i, 0, 0);
  if (!bp_wants_float(&c->in[0], 0, why) || !split(c, of, &p, why)) return 0;
  for (uint32_t i = 0; i < p.count; i++) if (!of->rounds || p.part[i].kernel->act_block) return 1;
  return bp_refuse(why, BP_REASON_DTYPE, BP_QKV_ROPE_CACHE_IN_WQ, 0, 0);
}
static void plan(const bp_cpu_call *c, const kernels *of, bp_cpu_plan *to) {
  parts p;
  bp_cpu_refusal why;
  split(c, of, &p, &why);
  bp_parts_plan(p.part, p.count, p.used, to);
}
static void run(const bp_cpu_call *c, const kernels *of, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  parts p;
  bp_cpu_refusal why;
  split(c, of, &p, &why);
  bp_parts_run(p.part, p.count, p.used, c, phase, begin, end, worker);
}

#define QKV_ROPE_CACHE(isa, bits, block)                                                                                     \
  static int isa##_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return supports(c, &isa, why); }                 \
  static void isa##_plan(const bp_cpu_call *c, bp_cpu_plan *to) { plan(c, &isa, to); }                                    \
  static void isa##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {            \
    run(c, &isa, phase, begin, end, worker);                                                                              \
  }                                                                                                                       \
  const bp_cpu_kernel bp_cpu_qkv_rope_cache_##isa = {"qkv_rope_cache", "qkv_rope_cache_" #isa, bits, block, 0, 0, isa##_supports, isa##_plan, isa##_run};

QKV_ROPE_CACHE(scalar, 0, 0)
#if defined(__x86_64__)
QKV_ROPE_CACHE(avx2, BP_CPU_AVX2, 0)
QKV_ROPE_CACHE(avx512, BP_CPU_AVX512 | BP_CPU_AVX2, 0)
QKV_ROPE_CACHE(i8_avx2, BP_CPU_AVX2, 32)
QKV_ROPE_CACHE(i8_avxvnni, BP_CPU_AVXVNNI | BP_CPU_AVX2, 32)
QKV_ROPE_CACHE(i8_avx512vnni, BP_CPU_AVX512VNNI | BP_CPU_AVX512 | BP_CPU_AVX2, 32)
QKV_ROPE_CACHE(i8_amxmodel, BP_CPU_AMXMODEL | BP_CPU_AVX2, 32)
QKV_ROPE_CACHE(i8_amx, BP_CPU_AMX | BP_CPU_AVX512VNNI | BP_CPU_AVX512 | BP_CPU_AVX2, 32)
#elif defined(__aarch64__)
QKV_ROPE_CACHE(neon, BP_CPU_NEON, 0)
QKV_ROPE_CACHE(i8_dotprod, BP_CPU_DOTPROD | BP_CPU_NEON, 32)
QKV_ROPE_CACHE(i8_i8mm, BP_CPU_I8MM | BP_CPU_DOTPROD | BP_CPU_NEON, 32)
#endif
