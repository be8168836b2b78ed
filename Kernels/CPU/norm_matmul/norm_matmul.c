// norm_matmul in every instruction set: the kernels of rms_norm and matmul, the normed rows between them in scratch.
#include "../shared/parts.h"

extern const bp_cpu_kernel bp_cpu_rms_norm_scalar, bp_cpu_matmul_scalar;
static const bp_cpu_kernel *const scalar[2][4] = {{&bp_cpu_rms_norm_scalar}, {&bp_cpu_matmul_scalar}};
// The vector kernels of one instruction set, after those that take every call.
#define OF_ISA(isa)                                                                                                       \
  extern const bp_cpu_kernel bp_cpu_rms_norm_f32_##isa, bp_cpu_matmul_##isa;                                              \
  static const bp_cpu_kernel *const isa[2][4] = {{&bp_cpu_rms_norm_scalar, &bp_cpu_rms_norm_f32_##isa},                   \
                                                 {&bp_cpu_matmul_scalar, &bp_cpu_matmul_##isa}};
// The same with products of activations that are rounded to 8 bits, where there are such.
#define I8_OF_ISA(i8, isa)                                                                                                \
  extern const bp_cpu_kernel bp_cpu_matmul_##i8;                                                                          \
  static const bp_cpu_kernel *const i8[2][4] = {{&bp_cpu_rms_norm_scalar, &bp_cpu_rms_norm_f32_##isa}, {&bp_cpu_matmul_##i8}};
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
typedef const bp_cpu_kernel *const kernels[2][4];

typedef struct parts { bp_part part[2]; uint64_t used; } parts;

// 0 when no kernel takes one of the parts.
static int split(const bp_cpu_call *c, kernels of, parts *to, bp_cpu_refusal *why) {
  *to = (parts){0};
  bp_part *norm = &to->part[0], *product = &to->part[1];
  bp_cpu_view between = bp_between(&c->in[0], c->in[0].extent, c->in[0].rank, c->scratch, &to->used);
  norm->call = (bp_cpu_call){.in = {c->in[0], c->in[1]}, .out = {between}, .n_in = 2, .n_out = 1, .workers = c->workers, .numerics = c->numerics};
  product->call = (bp_cpu_call){.in = {between, c->in[2], c->in[3]}, .out = {c->out[0]}, .n_in = 4, .n_out = 1, .workers = c->workers, .numerics = c->numerics};
  bp_part_attr(norm, BP_RMS_NORM_EPSILON, c, BP_NORM_MATMUL_EPSILON);
  bp_part_attr(norm, BP_RMS_NORM_WEIGHT_OFFSET, c, BP_NORM_MATMUL_WEIGHT_OFFSET);
  bp_part_int(product, BP_MATMUL_TRANSPOSE_B, 1);
  bp_part_attr(product, BP_MATMUL_ACTIVATION, c, BP_NORM_MATMUL_ACTIVATION);
  for (int i = 0; i < 2; i++) {
    to->part[i].call.attrs = to->part[i].attrs;
    if (!(to->part[i].kernel = bp_part_kernel(&to->part[i], of[i], why))) return 0;
  }
  return 1;
}
// Operands of the parts have other numbers; which one it was is said only for x.
static int supports(const bp_cpu_call *c, kernels of, bp_cpu_refusal *why) {
  parts p;
  return bp_wants_float(&c->in[0], 0, why) && bp_wants_rank(&c->in[0], 2, 0, why) && split(c, of, &p, why);
}
static void plan(const bp_cpu_call *c, kernels of, bp_cpu_plan *to) {
  parts p;
  bp_cpu_refusal why;
  split(c, of, &p, &why);
  bp_parts_plan(p.part, 2, p.used, to);
}
static void run(const bp_cpu_call *c, kernels of, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  parts p;
  bp_cpu_refusal why;
  split(c, of, &p, &why);
  bp_parts_run(p.part, 2, p.used, c, phase, begin, end, worker);
}

#define NORM_MATMUL(isa, bits, block)                                                                                        \
  static int isa##_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return supports(c, isa, why); }                  \
  static void isa##_plan(const bp_cpu_call *c, bp_cpu_plan *to) { plan(c, isa, to); }                                     \
  static void isa##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {            \
    run(c, isa, phase, begin, end, worker);                                                                               \
  }                                                                                                                       \
  const bp_cpu_kernel bp_cpu_norm_matmul_##isa = {"norm_matmul", "norm_matmul_" #isa, bits, block, 0, 0, isa##_supports, isa##_plan, isa##_run};

NORM_MATMUL(scalar, 0, 0)
#if defined(__x86_64__)
NORM_MATMUL(avx2, BP_CPU_AVX2, 0)
NORM_MATMUL(avx512, BP_CPU_AVX512, 0)
NORM_MATMUL(i8_avx2, BP_CPU_AVX2, 32)
NORM_MATMUL(i8_avxvnni, BP_CPU_AVXVNNI | BP_CPU_AVX2, 32)
NORM_MATMUL(i8_avx512vnni, BP_CPU_AVX512VNNI | BP_CPU_AVX512 | BP_CPU_AVX2, 32)
NORM_MATMUL(i8_amxmodel, BP_CPU_AMXMODEL | BP_CPU_AVX2, 32)
NORM_MATMUL(i8_amx, BP_CPU_AMX | BP_CPU_AVX512VNNI | BP_CPU_AVX512 | BP_CPU_AVX2, 32)
#elif defined(__aarch64__)
NORM_MATMUL(neon, BP_CPU_NEON, 0)
NORM_MATMUL(i8_dotprod, BP_CPU_DOTPROD | BP_CPU_NEON, 32)
NORM_MATMUL(i8_i8mm, BP_CPU_I8MM | BP_CPU_DOTPROD | BP_CPU_NEON, 32)
#endif
