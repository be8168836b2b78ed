/* The table of kernels, and the formats they know. */
#include "mutant.h"

static const kernel table[] = {
#define UNARY(op, OP) {BP_OP_##OP, #op, 1, "f", 0, run_##op},
    UNARY(abs, ABS) UNARY(neg, NEG) UNARY(relu, RELU) UNARY(square, SQUARE) UNARY(sqrt, SQRT) UNARY(rsqrt, RSQRT)
    UNARY(reciprocal, RECIPROCAL) UNARY(exp, EXP) UNARY(log, LOG) UNARY(sin, SIN) UNARY(cos, COS) UNARY(tanh, TANH) UNARY(erf, ERF)
    UNARY(sigmoid, SIGMOID) UNARY(silu, SILU) UNARY(softplus, SOFTPLUS) UNARY(gelu, GELU) UNARY(scale, SCALE)
    UNARY(softcap, SOFTCAP) UNARY(clip, CLIP) UNARY(floor, FLOOR) UNARY(ceil, CEIL) UNARY(round, ROUND) UNARY(sign, SIGN)
    UNARY(elu, ELU) UNARY(leaky_relu, LEAKY_RELU) UNARY(relu_squared, RELU_SQUARED) UNARY(hardsigmoid, HARDSIGMOID)
    UNARY(hardswish, HARDSWISH) UNARY(gelu_quick, GELU_QUICK) UNARY(reduce_l2, REDUCE_L2) UNARY(reduce_prod, REDUCE_PROD)
    UNARY(reduce_min, REDUCE_MIN) UNARY(topk, TOPK) UNARY(dynamic_quantize, DYNAMIC_QUANTIZE)
#undef UNARY
    {BP_OP_ADD, "add", 2, "dd", 0, run_add},
    {BP_OP_SUB, "sub", 2, "dd", 0, run_sub},
    {BP_OP_MUL, "mul", 2, "dd", 0, run_mul},
    {BP_OP_DIV, "div", 2, "dd", 0, run_div},
    {BP_OP_MAX, "max", 2, "dd", 0, run_max},
    {BP_OP_MIN, "min", 2, "dd", 0, run_min},
    {BP_OP_GATED_ACTIVATION, "gated_activation", 2, "ff", 0, run_gated_activation},
    {BP_OP_CAST, "cast", 1, "c", 0, run_cast},
    {BP_OP_RESHAPE, "reshape", 1, "a", 0, run_reshape},
    {BP_OP_TRANSPOSE, "transpose", 1, "p", 0, run_transpose},
    {BP_OP_SLICE, "slice", 1, "a", 0, run_slice},
    {BP_OP_CONCAT, "concat", 1, "a", 1, run_concat},
    {BP_OP_PAD, "pad", 1, "p", 0, run_pad},
    {BP_OP_REDUCE_SUM, "reduce_sum", 1, "f", 0, run_reduce_sum},
    {BP_OP_REDUCE_MEAN, "reduce_mean", 1, "f", 0, run_reduce_mean},
    {BP_OP_REDUCE_MAX, "reduce_max", 1, "f", 0, run_reduce_max},
    {BP_OP_ARGMAX, "argmax", 1, "f", 0, run_argmax},
    {BP_OP_RMS_NORM, "rms_norm", 1, "fn", 0, run_rms_norm},
    {BP_OP_ADD_RMS_NORM, "add_rms_norm", 2, "ffn", 0, run_add_rms_norm},
    {BP_OP_LAYER_NORM, "layer_norm", 1, "fnn", 0, run_layer_norm},
    {BP_OP_ROTARY_EMBEDDING, "rotary_embedding", 3, "fin", 0, run_rotary_embedding},
    {BP_OP_RMS_NORM_ROPE, "rms_norm_rope", 1, "fnin", 0, run_rms_norm_rope},
    {BP_OP_SOFTMAX, "softmax", 1, "fn", 0, run_softmax},
    {BP_OP_TENSOR_SCATTER, "tensor_scatter", 3, "qfi", 0, run_tensor_scatter},
    {BP_OP_GATHER, "gather", 2, "bi", 0, run_gather},
    {BP_OP_DEQUANTIZE, "dequantize", 1, "w", 0, run_dequantize},
    {BP_OP_MATMUL, "matmul", 2, "fbnf", 0, run_matmul},
    {BP_OP_MATMUL_GATED, "matmul_gated", 3, "fbb", 0, run_matmul_gated},
    {BP_OP_ATTENTION, "attention", 3, "fqqmnn", 0, run_attention},
    {BP_OP_POW, "pow", 2, "ff", 0, run_pow},
    {BP_OP_EQUAL, "equal", 2, "xx", 0, run_equal},
    {BP_OP_LESS, "less", 2, "xx", 0, run_less},
    {BP_OP_GREATER, "greater", 2, "xx", 0, run_greater},
    {BP_OP_WHERE, "where", 3, "opp", 0, run_where},
    {BP_OP_EXPAND, "expand", 1, "p", 0, run_expand},
    {BP_OP_CUMSUM, "cumsum", 1, "d", 0, run_cumsum},
    {BP_OP_SAMPLE, "sample", 2, "fn", 0, run_sample},
    {BP_OP_QUANTIZE_LINEAR, "quantize_linear", 2, "fnz", 0, run_quantize_linear},
    {BP_OP_DEQUANTIZE_LINEAR, "dequantize_linear", 2, "znz", 0, run_dequantize_linear},
    {BP_OP_MATMUL_INTEGER, "matmul_integer", 2, "sszz", 0, run_matmul_integer},
    {BP_OP_QLINEAR_MATMUL, "qlinear_matmul", 5, "ssnnnzzz", 0, run_qlinear_matmul},
    {BP_OP_MERGE_ATTENTION, "merge_attention", 4, "fnfn", 0, run_merge_attention},
    {BP_OP_NORM_MATMUL, "norm_matmul", 1, "fnbn", 0, run_norm_matmul},
    {BP_OP_QKV_ROPE_CACHE, "qkv_rope_cache", 8, "fbbbinqqnnfff", 0, run_qkv_rope_cache},
};
const kernel *kernel_for(bp_id op) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].op == op) return &table[i];
  return NULL;
}

int format_size(bp_id format, int64_t *block, int64_t *bytes) {
  static const struct { bp_id format; uint16_t block, bytes; } sizes[] = {
      {BP_FORMAT_F32, 1, 4}, {BP_FORMAT_F16, 1, 2}, {BP_FORMAT_BF16, 1, 2}, {BP_FORMAT_F64, 1, 8}, {BP_FORMAT_I8, 1, 1},
      {BP_FORMAT_U8, 1, 1}, {BP_FORMAT_I16, 1, 2}, {BP_FORMAT_I32, 1, 4}, {BP_FORMAT_I64, 1, 8}, {BP_FORMAT_BOOL, 1, 1},
      {BP_FORMAT_Q4_0, 32, 18}, {BP_FORMAT_Q4_1, 32, 20}, {BP_FORMAT_Q5_0, 32, 22}, {BP_FORMAT_Q5_1, 32, 24},
      {BP_FORMAT_Q8_0, 32, 34}, {BP_FORMAT_Q2_K, 256, 84}, {BP_FORMAT_Q3_K, 256, 110}, {BP_FORMAT_Q4_K, 256, 144},
      {BP_FORMAT_Q5_K, 256, 176}, {BP_FORMAT_Q6_K, 256, 210}, {BP_FORMAT_IQ4_NL, 32, 18}, {BP_FORMAT_MXFP4, 32, 17},
      {BP_FORMAT_TQ2_0, 256, 66}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (sizes[i].format == format) return *block = sizes[i].block, *bytes = sizes[i].bytes, 1;
  return 0;
}
