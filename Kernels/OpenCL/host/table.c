// Every file of device code and every manifest, as part of the library: the plugin is one file wherever it is installed.
#include "opencl_api.h"

static const unsigned char attention_attention_cl[] = {
#embed "../attention/attention.cl"
};
static const unsigned char attention_merge_attention_cl[] = {
#embed "../attention/merge_attention.cl"
};
static const unsigned char binary_binary_cl[] = {
#embed "../binary/binary.cl"
};
static const unsigned char binary_compare_cl[] = {
#embed "../binary/compare.cl"
};
static const unsigned char gather_gather_cl[] = {
#embed "../gather/gather.cl"
};
static const unsigned char matmul_gemm_cl[] = {
#embed "../matmul/gemm.cl"
};
static const unsigned char matmul_matmul_cl[] = {
#embed "../matmul/matmul.cl"
};
static const unsigned char move_cast_cl[] = {
#embed "../move/cast.cl"
};
static const unsigned char move_move_cl[] = {
#embed "../move/move.cl"
};
static const unsigned char norm_norm_cl[] = {
#embed "../norm/norm.cl"
};
static const unsigned char quantize_quantize_cl[] = {
#embed "../quantize/quantize.cl"
};
static const unsigned char reduce_reduce_cl[] = {
#embed "../reduce/reduce.cl"
};
static const unsigned char rope_rope_cl[] = {
#embed "../rope/rope.cl"
};
static const unsigned char rope_tensor_scatter_cl[] = {
#embed "../rope/tensor_scatter.cl"
};
static const unsigned char select_select_cl[] = {
#embed "../select/select.cl"
};
static const unsigned char shared_activations_cl[] = {
#embed "../shared/activations.cl"
};
static const unsigned char shared_blocks_cl[] = {
#embed "../shared/blocks.cl"
};
static const unsigned char shared_quantizers_cl[] = {
#embed "../shared/quantizers.cl"
};
static const unsigned char shared_rows_cl[] = {
#embed "../shared/rows.cl"
};
static const unsigned char shared_values_cl[] = {
#embed "../shared/values.cl"
};
static const unsigned char softmax_softmax_cl[] = {
#embed "../softmax/softmax.cl"
};
static const unsigned char unary_gated_activation_cl[] = {
#embed "../unary/gated_activation.cl"
};
static const unsigned char unary_unary_cl[] = {
#embed "../unary/unary.cl"
};
static const unsigned char quirks_json[] = {
#embed "../quirks.json"
};
static const unsigned char attention_attention_json[] = {
#embed "../attention/attention.json"
};
static const unsigned char attention_merge_attention_json[] = {
#embed "../attention/merge_attention.json"
};
static const unsigned char binary_binary_json[] = {
#embed "../binary/binary.json"
};
static const unsigned char binary_compare_json[] = {
#embed "../binary/compare.json"
};
static const unsigned char gather_gather_json[] = {
#embed "../gather/gather.json"
};
static const unsigned char matmul_matmul_json[] = {
#embed "../matmul/matmul.json"
};
static const unsigned char matmul_qkv_rope_cache_json[] = {
#embed "../matmul/qkv_rope_cache.json"
};
static const unsigned char move_move_json[] = {
#embed "../move/move.json"
};
static const unsigned char norm_norm_json[] = {
#embed "../norm/norm.json"
};
static const unsigned char quantize_quantize_json[] = {
#embed "../quantize/quantize.json"
};
static const unsigned char reduce_reduce_json[] = {
#embed "../reduce/reduce.json"
};
static const unsigned char rope_rope_json[] = {
#embed "../rope/rope.json"
};
static const unsigned char rope_tensor_scatter_json[] = {
#embed "../rope/tensor_scatter.json"
};
static const unsigned char select_select_json[] = {
#embed "../select/select.json"
};
static const unsigned char softmax_softmax_json[] = {
#embed "../softmax/softmax.json"
};
static const unsigned char unary_gated_activation_json[] = {
#embed "../unary/gated_activation.json"
};
static const unsigned char unary_unary_json[] = {
#embed "../unary/unary.json"
};

#define FILE(path, name) {path, name, sizeof name}
static const bp_opencl_file files[] = {
  FILE("attention/attention.cl", attention_attention_cl),
  FILE("attention/merge_attention.cl", attention_merge_attention_cl),
  FILE("binary/binary.cl", binary_binary_cl),
  FILE("binary/compare.cl", binary_compare_cl),
  FILE("gather/gather.cl", gather_gather_cl),
  FILE("matmul/gemm.cl", matmul_gemm_cl),
  FILE("matmul/matmul.cl", matmul_matmul_cl),
  FILE("move/cast.cl", move_cast_cl),
  FILE("move/move.cl", move_move_cl),
  FILE("norm/norm.cl", norm_norm_cl),
  FILE("quantize/quantize.cl", quantize_quantize_cl),
  FILE("reduce/reduce.cl", reduce_reduce_cl),
  FILE("rope/rope.cl", rope_rope_cl),
  FILE("rope/tensor_scatter.cl", rope_tensor_scatter_cl),
  FILE("select/select.cl", select_select_cl),
  FILE("shared/activations.cl", shared_activations_cl),
  FILE("shared/blocks.cl", shared_blocks_cl),
  FILE("shared/quantizers.cl", shared_quantizers_cl),
  FILE("shared/rows.cl", shared_rows_cl),
  FILE("shared/values.cl", shared_values_cl),
  FILE("softmax/softmax.cl", softmax_softmax_cl),
  FILE("unary/gated_activation.cl", unary_gated_activation_cl),
  FILE("unary/unary.cl", unary_unary_cl),
  FILE("quirks.json", quirks_json),
  FILE("attention/attention.json", attention_attention_json),
  FILE("attention/merge_attention.json", attention_merge_attention_json),
  FILE("binary/binary.json", binary_binary_json),
  FILE("binary/compare.json", binary_compare_json),
  FILE("gather/gather.json", gather_gather_json),
  FILE("matmul/matmul.json", matmul_matmul_json),
  FILE("matmul/qkv_rope_cache.json", matmul_qkv_rope_cache_json),
  FILE("move/move.json", move_move_json),
  FILE("norm/norm.json", norm_norm_json),
  FILE("quantize/quantize.json", quantize_quantize_json),
  FILE("reduce/reduce.json", reduce_reduce_json),
  FILE("rope/rope.json", rope_rope_json),
  FILE("rope/tensor_scatter.json", rope_tensor_scatter_json),
  FILE("select/select.json", select_select_json),
  FILE("softmax/softmax.json", softmax_softmax_json),
  FILE("unary/gated_activation.json", unary_gated_activation_json),
  FILE("unary/unary.json", unary_unary_json),
};

const bp_opencl_file *bp_opencl_files(size_t *count) {
  *count = sizeof files / sizeof *files;
  return files;
}
