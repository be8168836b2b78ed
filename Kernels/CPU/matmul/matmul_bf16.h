// matmul and matmul_gated with products of bf16 numbers, summed in f32: matmul_vector.h with pairs. Declared: both factors rounded to bf16, and subnormal
// numbers taken as 0, as the instructions do. A few rows are multiplied in f32. f16 weights would lose bits: not taken.
#define MATMUL_NAME(name) name##_bf16
#include "problem.h"
static void bp_matmul_plan_bf16(const bp_cpu_call *call, bp_cpu_plan *plan, int gated);
static void bp_matmul_run_bf16(const bp_cpu_call *call, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated);
#include "matmul_vector.h"

// Weights in f32 and bf16; where `blocks` is 1 in block formats, too.
static int bf16_supports(const bp_cpu_call *c, int gated, int blocks, bp_cpu_refusal *why) {
  for (uint32_t s = 1; s <= (gated ? 2u : 1u); s++)
    if (c->in[s].dtype != BP_FORMAT_F32 && c->in[s].dtype != BP_FORMAT_BF16 && (!blocks || c->in[s].block_elements == 1)) return bp_refuse(why, BP_REASON_DTYPE, s, 0, 0);
  return bp_matmul_supported(c, gated, why);
}
#define BF16_KERNEL(op_name, gated, isa, bits, blocks)                                                                               \
  static int op_name##_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bf16_supports(c, gated, blocks, why); }          \
  static void op_name##_plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_bf16(c, to, gated); }                           \
  static void op_name##_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {                   \
    bp_matmul_run_bf16(c, phase, begin, end, worker, gated);                                                                         \
  }                                                                                                                                  \
  const bp_cpu_kernel bp_cpu_##op_name##_bf16_##isa = {                                                                              \
    .op = #op_name, .name = #op_name "_bf16_" #isa, .needs = bits, .operand_round = "bf16", .ftz = 1,                                \
    .supports = op_name##_supports, .plan = op_name##_plan, .run = op_name##_run,                                                    \
    .parameters = bp_matmul_parameters, .n_parameters = BP_MATMUL_PARAMETERS, .constraint = BP_MATMUL_CONSTRAINT};
// The kernels of one instruction set: matmul_bf16_<isa> and matmul_gated_bf16_<isa>.
#define BF16_KERNELS(isa, bits, blocks) BF16_KERNEL(matmul, 0, isa, bits, blocks) BF16_KERNEL(matmul_gated, 1, isa, bits, blocks)
