// matmul and matmul_gated of dense weights with products of bf16 numbers, summed in f32: matmul_vector.h with pairs. Declared: both factors rounded to
// bf16, and subnormal numbers taken as 0, as the instruction does. A few rows are multiplied in f32.
#if defined(__x86_64__)
#include "../shared/lanes_avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#undef V_FN // with the pragma's instructions
#define V_FN static inline __attribute__((always_inline))

V_FN vf v_products(vf a, vf b, vf sum) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
// Each lane of both as a pair.
V_FN vf v_pair(vf first, vf second) {
  __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
// k floats as pairs, the last with 0 where k is odd; `to` may be `from`.
V_FN void v_round_pairs(const float *from, int64_t k, float *to) {
  for (int64_t x = 0; x < k; x += 2 * LANES) {
    vf a = v_load_some(BP_CODE_F32, from + x, k - x), b = v_load_some(BP_CODE_F32, from + x + LANES, k - x - LANES);
    v_store_some(BP_CODE_F32, to + x / 2, (k - x + 1) / 2, (vf)_mm512_cvtne2ps_pbh(b, a));
  }
}
#define V_PAIRS 2
#define MATMUL_NAME(name) name##_bf16
#include "../shared/blocks_avx512.h"
#include "problem.h"
static void bp_matmul_plan_bf16(const bp_cpu_call *call, bp_cpu_plan *plan, int gated);
static void bp_matmul_run_bf16(const bp_cpu_call *call, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated);
#include "matmul_vector.h"
#pragma clang attribute pop

static int takes(const bp_cpu_call *c, int gated, bp_cpu_refusal *why) {
  for (uint32_t s = 1; s <= (gated ? 2u : 1u); s++)
    if (c->in[s].dtype != BP_FORMAT_F32 && c->in[s].dtype != BP_FORMAT_BF16) return bp_refuse(why, BP_REASON_DTYPE, s, 0, 0);
  return bp_matmul_supported(c, gated, why);
}
#define KERNEL(op_name, gated)                                                                                                       \
  static int op_name##_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return takes(c, gated, why); }                          \
  static void op_name##_plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_bf16(c, to, gated); }                           \
  static void op_name##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {                   \
    bp_matmul_run_bf16(c, phase, begin, end, worker, gated);                                                                         \
  }                                                                                                                                  \
  const bp_cpu_kernel bp_cpu_##op_name##_bf16_avx512 = {                                                                             \
    .op = #op_name, .name = #op_name "_bf16_avx512", .needs = BP_CPU_AVX512BF16 | BP_CPU_AVX512 | BP_CPU_AVX2, .operand_round = "bf16", .ftz = 1,  \
    .supports = op_name##_supports, .plan = op_name##_plan, .run = op_name##_run,                                                    \
    .parameters = bp_matmul_parameters, .n_parameters = BP_MATMUL_PARAMETERS, .constraint = BP_MATMUL_CONSTRAINT};
KERNEL(matmul, 0)
KERNEL(matmul_gated, 1)
#endif
