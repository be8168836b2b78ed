// Every compiled shader, every manifest, what sources include, and the words of manifests by number.
#include "vulkan_kernels.h"

alignas(4) static const unsigned char argmax_spv[] = {
#embed "../argmax.spv"
};
alignas(4) static const unsigned char attention_spv[] = {
#embed "../attention.spv"
};
alignas(4) static const unsigned char attention_parts_spv[] = {
#embed "../attention_parts.spv"
};
alignas(4) static const unsigned char attention_tile_spv[] = {
#embed "../attention_tile.spv"
};
alignas(4) static const unsigned char binary_spv[] = {
#embed "../binary.spv"
};
alignas(4) static const unsigned char cast_spv[] = {
#embed "../cast.spv"
};
alignas(4) static const unsigned char copy_spv[] = {
#embed "../copy.spv"
};
alignas(4) static const unsigned char cumsum_spv[] = {
#embed "../cumsum.spv"
};
alignas(4) static const unsigned char dot_spv[] = {
#embed "../dot.spv"
};
alignas(4) static const unsigned char dot8_spv[] = {
#embed "../dot8.spv"
};
alignas(4) static const unsigned char dynamic_quantize_spv[] = {
#embed "../dynamic_quantize.spv"
};
alignas(4) static const unsigned char fill_spv[] = {
#embed "../fill.spv"
};
alignas(4) static const unsigned char gather_spv[] = {
#embed "../gather.spv"
};
alignas(4) static const unsigned char matmul_spv[] = {
#embed "../matmul.spv"
};
alignas(4) static const unsigned char matmul_integer_spv[] = {
#embed "../matmul_integer.spv"
};
alignas(4) static const unsigned char matrix_spv[] = {
#embed "../matrix.spv"
};
alignas(4) static const unsigned char merge_attention_spv[] = {
#embed "../merge_attention.spv"
};
alignas(4) static const unsigned char norm_spv[] = {
#embed "../norm.spv"
};
alignas(4) static const unsigned char pow_spv[] = {
#embed "../pow.spv"
};
alignas(4) static const unsigned char quantize_linear_spv[] = {
#embed "../quantize_linear.spv"
};
alignas(4) static const unsigned char reduce_spv[] = {
#embed "../reduce.spv"
};
alignas(4) static const unsigned char rope_spv[] = {
#embed "../rope.spv"
};
alignas(4) static const unsigned char sample_spv[] = {
#embed "../sample.spv"
};
alignas(4) static const unsigned char scatter_spv[] = {
#embed "../scatter.spv"
};
alignas(4) static const unsigned char select_spv[] = {
#embed "../select.spv"
};
alignas(4) static const unsigned char softmax_spv[] = {
#embed "../softmax.spv"
};
alignas(4) static const unsigned char tile_spv[] = {
#embed "../tile.spv"
};
alignas(4) static const unsigned char topk_spv[] = {
#embed "../topk.spv"
};
alignas(4) static const unsigned char unary_spv[] = {
#embed "../unary.spv"
};
static const unsigned char unary_json[] = {
#embed "../unary.json"
};
static const unsigned char binary_json[] = {
#embed "../binary.json"
};
static const unsigned char move_json[] = {
#embed "../move.json"
};
static const unsigned char rows_json[] = {
#embed "../rows.json"
};
static const unsigned char matmul_json[] = {
#embed "../matmul.json"
};
static const unsigned char attention_json[] = {
#embed "../attention.json"
};
static const unsigned char quirks_json[] = {
#embed "../quirks.json"
};
static const unsigned char tile_json[] = {
#embed "../tile.json"
};
static const unsigned char quantize_json[] = {
#embed "../quantize.json"
};
static const unsigned char binary_glsl[] = {
#embed "../shared/binary.glsl"
};
static const unsigned char decode_glsl[] = {
#embed "../shared/decode.glsl"
};
static const unsigned char encode_glsl[] = {
#embed "../shared/encode.glsl"
};
static const unsigned char groups_glsl[] = {
#embed "../shared/groups.glsl"
};
static const unsigned char math_glsl[] = {
#embed "../shared/math.glsl"
};
static const unsigned char order_glsl[] = {
#embed "../shared/order.glsl"
};
static const unsigned char values_glsl[] = {
#embed "../shared/values.glsl"
};
static const unsigned char walk_glsl[] = {
#embed "../shared/walk.glsl"
};
static const unsigned char words_def[] = {
#embed "words.def"
};

#define SHADER(name) {#name ".spv", name##_spv, sizeof name##_spv}
#define MANIFEST(name) {#name ".json", name##_json, sizeof name##_json}
#define SHARED(name) {"shared/" #name ".glsl", name##_glsl, sizeof name##_glsl}
static const bp_vulkan_file files[] = {
  SHADER(argmax), SHADER(attention), SHADER(attention_parts), SHADER(attention_tile), SHADER(binary), SHADER(cast), SHADER(copy), SHADER(cumsum), SHADER(dot), SHADER(dot8), SHADER(dynamic_quantize),
  SHADER(fill), SHADER(gather), SHADER(matmul), SHADER(matmul_integer), SHADER(matrix), SHADER(merge_attention), SHADER(norm), SHADER(pow), SHADER(quantize_linear),
  SHADER(reduce), SHADER(rope), SHADER(sample), SHADER(scatter), SHADER(select), SHADER(softmax), SHADER(tile), SHADER(topk), SHADER(unary),
  MANIFEST(unary), MANIFEST(binary), MANIFEST(move), MANIFEST(rows), MANIFEST(matmul), MANIFEST(attention), MANIFEST(quantize), MANIFEST(tile), MANIFEST(quirks),
  SHARED(binary), SHARED(decode), SHARED(encode), SHARED(groups), SHARED(math), SHARED(order), SHARED(values), SHARED(walk), {"host/words.def", words_def, sizeof words_def},
};
const bp_vulkan_file *bp_vulkan_files(size_t *count) {
  *count = sizeof files / sizeof *files;
  return files;
}

#define WORD(name, number) {#name, number},
static const bp_vulkan_word words[] = {
#include "words.def"
};
const bp_vulkan_word *bp_vulkan_words(size_t *count) {
  *count = sizeof words / sizeof *words;
  return words;
}
