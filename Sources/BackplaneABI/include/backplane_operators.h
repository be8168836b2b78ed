/* Generated from Specs/operators and Specs/formats by `backplane generate`. Do not edit.
 *
 * Numbers behind names (bp_id), and the places of operands and attributes in a bp_node: inputs, outputs and attributes stand in
 * the spec's order. Macros only; C11 and C++11. What an operator means is in Specs/operators/<op>.md.
 */
#ifndef BACKPLANE_OPERATORS_H
#define BACKPLANE_OPERATORS_H

/* Operators: bp_node.op. */
#define BP_OP_COUNT 49
#define BP_OP_ABS 0xe71fb2190541727bull
#define BP_OP_ADD 0xe70bc3190530e654ull
#define BP_OP_ADD_RMS_NORM 0xd14cb2c8db5930d8ull
#define BP_OP_ARGMAX 0xeb186e4854b031efull
#define BP_OP_ATTENTION 0xbe5506cb0bb8f779ull
#define BP_OP_CAST 0xb55e7090e879494eull
#define BP_OP_CLIP 0x137b2d911d7251dbull
#define BP_OP_CONCAT 0x4c9fba75ae0b9f5dull
#define BP_OP_COS 0xf604fc190d0176dcull
#define BP_OP_DEQUANTIZE 0x809023ef6894d2adull
#define BP_OP_DIV 0xcaa83a18f46e5888ull
#define BP_OP_ERF 0xc2fd1118f05df230ull
#define BP_OP_EXP 0xc3120b18f0704408ull
#define BP_OP_GATED_ACTIVATION 0x6e4635ccf491ba57ull
#define BP_OP_GATHER 0x4fcdeca8d9ac8f4aull
#define BP_OP_GELU 0x6743f571efc50dceull
#define BP_OP_LAYER_NORM 0x7edf36b108f69151ull
#define BP_OP_LOG 0x125073191daf5431ull
#define BP_OP_MATMUL 0x73882f5bd7ff7769ull
#define BP_OP_MATMUL_GATED 0x5ab89b06bf8a323bull
#define BP_OP_MAX 0x080f5119176d1ff9ull
#define BP_OP_MIN 0x07f4431917564077ull
#define BP_OP_MUL 0x07e66519174a3ce1ull
#define BP_OP_NEG 0x2138e5192571d261ull
#define BP_OP_PAD 0x77ca60195676adaaull
#define BP_OP_RECIPROCAL 0x0d9e696d563998f5ull
#define BP_OP_REDUCE_MAX 0xaee7a7a255008d26ull
#define BP_OP_REDUCE_MEAN 0x102a9ed65b25c349ull
#define BP_OP_REDUCE_SUM 0x6dbc3ea2c12a4523ull
#define BP_OP_RELU 0x4d0b5e1fbffd04f3ull
#define BP_OP_RESHAPE 0x4947b14b9c60cc25ull
#define BP_OP_RMS_NORM 0x179934cfebb604e4ull
#define BP_OP_RMS_NORM_ROPE 0xa9883cb62021c199ull
#define BP_OP_ROTARY_EMBEDDING 0x009156cdf5017bb6ull
#define BP_OP_RSQRT 0xbdbbc39f586be77full
#define BP_OP_SCALE 0x6aacb9fbb71a1d91ull
#define BP_OP_SIGMOID 0x92888de5f15c0eabull
#define BP_OP_SILU 0x4e278a18e64c47f6ull
#define BP_OP_SIN 0x8248a1195cecc4adull
#define BP_OP_SLICE 0xd4a6e26ba7a1d8b1ull
#define BP_OP_SOFTCAP 0xafba9c67e0372aebull
#define BP_OP_SOFTMAX 0xc1e6ea67eabfae89ull
#define BP_OP_SOFTPLUS 0xbfc588f4035739e5ull
#define BP_OP_SQRT 0x9614cf190fc8d7cfull
#define BP_OP_SQUARE 0x7884f79b0c364646ull
#define BP_OP_SUB 0x82719d195d0fc2f5ull
#define BP_OP_TANH 0xd93450ef07843b10ull
#define BP_OP_TENSOR_SCATTER 0xf1ad2f058ab7bf5dull
#define BP_OP_TRANSPOSE 0xf93c2a95a0b69780ull

/* Element formats: bp_tensor.dtype. */
#define BP_FORMAT_F32 0xdd635018ff703544ull
#define BP_FORMAT_F16 0xdd5c4c18ff6a0fcaull
#define BP_FORMAT_BF16 0x907f899ba44bff4aull
#define BP_FORMAT_F64 0xdd744c18ff7ea1abull
#define BP_FORMAT_I8 0x08b70a07b55bfd94ull
#define BP_FORMAT_U8 0x08c48207b56753d8ull
#define BP_FORMAT_I16 0x2aebbf192b3b86fbull
#define BP_FORMAT_I32 0x2af2b3192b419145ull
#define BP_FORMAT_I64 0x2ae1af192b331746ull
#define BP_FORMAT_BOOL 0xcd2fd49bc6b014bdull
#define BP_FORMAT_Q4_0 0xea5dba067313912full
#define BP_FORMAT_Q4_1 0xea5db90673138f7cull
#define BP_FORMAT_Q5_0 0xf1ac710676d4d724ull
#define BP_FORMAT_Q5_1 0xf1ac720676d4d8d7ull
#define BP_FORMAT_Q8_0 0xc6569e065e47ba9bull
#define BP_FORMAT_Q2_K 0x1d0309068f63426cull
#define BP_FORMAT_Q3_K 0x252af20693dcce17ull
#define BP_FORMAT_Q4_K 0xea5e13067314286aull
#define BP_FORMAT_Q5_K 0xf1ac5c0676d4b375ull
#define BP_FORMAT_Q6_K 0xf9d53d067b4fe488ull
#define BP_FORMAT_IQ4_NL 0x87762a3972bf34d0ull
#define BP_FORMAT_MXFP4 0x9670cad3b1e4bd96ull
#define BP_FORMAT_TQ2_0 0xea53e4aec6bb0efbull

/* Layouts: bp_tensor.layout. */
#define BP_LAYOUT_STRIDED 0xd790e6b22a1f52f4ull

/* Names of attributes: bp_attr.name. A node's attributes stand at the indexes below. */
#define BP_ATTRIBUTE_ACTIVATION 0xd8c43b6c6e05cf7dull
#define BP_ATTRIBUTE_AFTER 0xbf82010f6f71eae9ull
#define BP_ATTRIBUTE_APPROXIMATE 0xdb7b883caf1b9751ull
#define BP_ATTRIBUTE_AXES 0x32969e840d9c67b8ull
#define BP_ATTRIBUTE_AXIS 0x3288a6840d9037f4ull
#define BP_ATTRIBUTE_BEFORE 0xd89aa06245afb2beull
#define BP_ATTRIBUTE_CAP 0xf5e303190ce49c5bull
#define BP_ATTRIBUTE_CAUSAL 0xc133ad57dcb52460ull
#define BP_ATTRIBUTE_END 0xc2f00318f053500aull
#define BP_ATTRIBUTE_EPSILON 0x23d316013d60439dull
#define BP_ATTRIBUTE_FACTOR 0x4545eb999aeeeca6ull
#define BP_ATTRIBUTE_INTERLEAVED 0x8bda030068174068ull
#define BP_ATTRIBUTE_KEEP_DIMS 0x7e3cb2e7f5f0982eull
#define BP_ATTRIBUTE_MAXIMUM 0xdec0011d2ec995a1ull
#define BP_ATTRIBUTE_MINIMUM 0xc92fe3ad0447b657ull
#define BP_ATTRIBUTE_MODE 0x0d3deba2c41dadb2ull
#define BP_ATTRIBUTE_OFFSET 0x0268b0f8129435caull
#define BP_ATTRIBUTE_PERMUTATION 0x30c0a84913fc221bull
#define BP_ATTRIBUTE_SCALE 0x6aacb9fbb71a1d91ull
#define BP_ATTRIBUTE_SHAPE 0x6e2982493ac55546ull
#define BP_ATTRIBUTE_SOFTCAP 0xafba9c67e0372aebull
#define BP_ATTRIBUTE_START 0xee5d97ad45ad251full
#define BP_ATTRIBUTE_STEP 0xaf0b4e191da20cefull
#define BP_ATTRIBUTE_TO 0x08c83907b56ac0a4ull
#define BP_ATTRIBUTE_TRANSPOSE_B 0x21b03ce5d5a66ffdull
#define BP_ATTRIBUTE_VALUE 0x7ce4fd9430e80ceaull
#define BP_ATTRIBUTE_WEIGHT_OFFSET 0x8661199015c56015ull
#define BP_ATTRIBUTE_WINDOW 0x71f304ea62c01cbdull

/* abs */
#define BP_ABS_VERSION 1
#define BP_ABS_INPUTS 1
#define BP_ABS_OUTPUTS 1
#define BP_ABS_ATTRIBUTES 0
#define BP_ABS_IN_X 0
#define BP_ABS_OUT_Y 0

/* add */
#define BP_ADD_VERSION 1
#define BP_ADD_INPUTS 2
#define BP_ADD_OUTPUTS 1
#define BP_ADD_ATTRIBUTES 0
#define BP_ADD_IN_A 0
#define BP_ADD_IN_B 1
#define BP_ADD_OUT_Y 0

/* add_rms_norm */
#define BP_ADD_RMS_NORM_VERSION 1
#define BP_ADD_RMS_NORM_INPUTS 3
#define BP_ADD_RMS_NORM_OUTPUTS 2
#define BP_ADD_RMS_NORM_ATTRIBUTES 2
#define BP_ADD_RMS_NORM_IN_X 0
#define BP_ADD_RMS_NORM_IN_RESIDUAL 1
#define BP_ADD_RMS_NORM_IN_WEIGHT 2 /* optional */
#define BP_ADD_RMS_NORM_OUT_Y 0
#define BP_ADD_RMS_NORM_OUT_SUM 1
#define BP_ADD_RMS_NORM_EPSILON 0 /* BP_ATTR_F64 */
#define BP_ADD_RMS_NORM_WEIGHT_OFFSET 1 /* BP_ATTR_F64 */

/* argmax */
#define BP_ARGMAX_VERSION 1
#define BP_ARGMAX_INPUTS 1
#define BP_ARGMAX_OUTPUTS 1
#define BP_ARGMAX_ATTRIBUTES 0
#define BP_ARGMAX_IN_X 0
#define BP_ARGMAX_OUT_Y 0

/* attention */
#define BP_ATTENTION_VERSION 1
#define BP_ATTENTION_INPUTS 6
#define BP_ATTENTION_OUTPUTS 2
#define BP_ATTENTION_ATTRIBUTES 4
#define BP_ATTENTION_IN_Q 0
#define BP_ATTENTION_IN_K 1
#define BP_ATTENTION_IN_V 2
#define BP_ATTENTION_IN_MASK 3 /* optional */
#define BP_ATTENTION_IN_SINKS 4 /* optional */
#define BP_ATTENTION_IN_ALIBI_SLOPES 5 /* optional */
#define BP_ATTENTION_OUT_Y 0
#define BP_ATTENTION_OUT_LSE 1 /* optional */
#define BP_ATTENTION_SCALE 0 /* BP_ATTR_F64 */
#define BP_ATTENTION_CAUSAL 1 /* BP_ATTR_I64 */
#define BP_ATTENTION_WINDOW 2 /* BP_ATTR_I64 */
#define BP_ATTENTION_SOFTCAP 3 /* BP_ATTR_F64 */

/* cast */
#define BP_CAST_VERSION 1
#define BP_CAST_INPUTS 1
#define BP_CAST_OUTPUTS 1
#define BP_CAST_ATTRIBUTES 1
#define BP_CAST_IN_X 0
#define BP_CAST_OUT_Y 0
#define BP_CAST_TO 0 /* BP_ATTR_STR */

/* clip */
#define BP_CLIP_VERSION 1
#define BP_CLIP_INPUTS 1
#define BP_CLIP_OUTPUTS 1
#define BP_CLIP_ATTRIBUTES 2
#define BP_CLIP_IN_X 0
#define BP_CLIP_OUT_Y 0
#define BP_CLIP_MINIMUM 0 /* BP_ATTR_F64 */
#define BP_CLIP_MAXIMUM 1 /* BP_ATTR_F64 */

/* concat */
#define BP_CONCAT_VERSION 1
#define BP_CONCAT_INPUTS 1
#define BP_CONCAT_OUTPUTS 1
#define BP_CONCAT_ATTRIBUTES 1
#define BP_CONCAT_IN_INPUTS 0 /* and all that follow */
#define BP_CONCAT_OUT_Y 0
#define BP_CONCAT_AXIS 0 /* BP_ATTR_I64 */

/* cos */
#define BP_COS_VERSION 1
#define BP_COS_INPUTS 1
#define BP_COS_OUTPUTS 1
#define BP_COS_ATTRIBUTES 0
#define BP_COS_IN_X 0
#define BP_COS_OUT_Y 0

/* dequantize */
#define BP_DEQUANTIZE_VERSION 1
#define BP_DEQUANTIZE_INPUTS 1
#define BP_DEQUANTIZE_OUTPUTS 1
#define BP_DEQUANTIZE_ATTRIBUTES 1
#define BP_DEQUANTIZE_IN_X 0
#define BP_DEQUANTIZE_OUT_Y 0
#define BP_DEQUANTIZE_TO 0 /* BP_ATTR_STR */

/* div */
#define BP_DIV_VERSION 1
#define BP_DIV_INPUTS 2
#define BP_DIV_OUTPUTS 1
#define BP_DIV_ATTRIBUTES 0
#define BP_DIV_IN_A 0
#define BP_DIV_IN_B 1
#define BP_DIV_OUT_Y 0

/* erf */
#define BP_ERF_VERSION 1
#define BP_ERF_INPUTS 1
#define BP_ERF_OUTPUTS 1
#define BP_ERF_ATTRIBUTES 0
#define BP_ERF_IN_X 0
#define BP_ERF_OUT_Y 0

/* exp */
#define BP_EXP_VERSION 1
#define BP_EXP_INPUTS 1
#define BP_EXP_OUTPUTS 1
#define BP_EXP_ATTRIBUTES 0
#define BP_EXP_IN_X 0
#define BP_EXP_OUT_Y 0

/* gated_activation */
#define BP_GATED_ACTIVATION_VERSION 1
#define BP_GATED_ACTIVATION_INPUTS 2
#define BP_GATED_ACTIVATION_OUTPUTS 1
#define BP_GATED_ACTIVATION_ATTRIBUTES 1
#define BP_GATED_ACTIVATION_IN_GATE 0
#define BP_GATED_ACTIVATION_IN_UP 1
#define BP_GATED_ACTIVATION_OUT_Y 0
#define BP_GATED_ACTIVATION_ACTIVATION 0 /* BP_ATTR_STR */

/* gather */
#define BP_GATHER_VERSION 1
#define BP_GATHER_INPUTS 2
#define BP_GATHER_OUTPUTS 1
#define BP_GATHER_ATTRIBUTES 2
#define BP_GATHER_IN_TABLE 0
#define BP_GATHER_IN_INDICES 1
#define BP_GATHER_OUT_Y 0
#define BP_GATHER_SCALE 0 /* BP_ATTR_F64 */
#define BP_GATHER_TO 1 /* BP_ATTR_STR */

/* gelu */
#define BP_GELU_VERSION 1
#define BP_GELU_INPUTS 1
#define BP_GELU_OUTPUTS 1
#define BP_GELU_ATTRIBUTES 1
#define BP_GELU_IN_X 0
#define BP_GELU_OUT_Y 0
#define BP_GELU_APPROXIMATE 0 /* BP_ATTR_STR */

/* layer_norm */
#define BP_LAYER_NORM_VERSION 1
#define BP_LAYER_NORM_INPUTS 3
#define BP_LAYER_NORM_OUTPUTS 1
#define BP_LAYER_NORM_ATTRIBUTES 1
#define BP_LAYER_NORM_IN_X 0
#define BP_LAYER_NORM_IN_WEIGHT 1 /* optional */
#define BP_LAYER_NORM_IN_BIAS 2 /* optional */
#define BP_LAYER_NORM_OUT_Y 0
#define BP_LAYER_NORM_EPSILON 0 /* BP_ATTR_F64 */

/* log */
#define BP_LOG_VERSION 1
#define BP_LOG_INPUTS 1
#define BP_LOG_OUTPUTS 1
#define BP_LOG_ATTRIBUTES 0
#define BP_LOG_IN_X 0
#define BP_LOG_OUT_Y 0

/* matmul */
#define BP_MATMUL_VERSION 1
#define BP_MATMUL_INPUTS 4
#define BP_MATMUL_OUTPUTS 1
#define BP_MATMUL_ATTRIBUTES 2
#define BP_MATMUL_IN_A 0
#define BP_MATMUL_IN_B 1
#define BP_MATMUL_IN_BIAS 2 /* optional */
#define BP_MATMUL_IN_RESIDUAL 3 /* optional */
#define BP_MATMUL_OUT_Y 0
#define BP_MATMUL_TRANSPOSE_B 0 /* BP_ATTR_I64 */
#define BP_MATMUL_ACTIVATION 1 /* BP_ATTR_STR */

/* matmul_gated */
#define BP_MATMUL_GATED_VERSION 1
#define BP_MATMUL_GATED_INPUTS 3
#define BP_MATMUL_GATED_OUTPUTS 1
#define BP_MATMUL_GATED_ATTRIBUTES 1
#define BP_MATMUL_GATED_IN_A 0
#define BP_MATMUL_GATED_IN_GATE 1
#define BP_MATMUL_GATED_IN_UP 2
#define BP_MATMUL_GATED_OUT_Y 0
#define BP_MATMUL_GATED_ACTIVATION 0 /* BP_ATTR_STR */

/* max */
#define BP_MAX_VERSION 1
#define BP_MAX_INPUTS 2
#define BP_MAX_OUTPUTS 1
#define BP_MAX_ATTRIBUTES 0
#define BP_MAX_IN_A 0
#define BP_MAX_IN_B 1
#define BP_MAX_OUT_Y 0

/* min */
#define BP_MIN_VERSION 1
#define BP_MIN_INPUTS 2
#define BP_MIN_OUTPUTS 1
#define BP_MIN_ATTRIBUTES 0
#define BP_MIN_IN_A 0
#define BP_MIN_IN_B 1
#define BP_MIN_OUT_Y 0

/* mul */
#define BP_MUL_VERSION 1
#define BP_MUL_INPUTS 2
#define BP_MUL_OUTPUTS 1
#define BP_MUL_ATTRIBUTES 0
#define BP_MUL_IN_A 0
#define BP_MUL_IN_B 1
#define BP_MUL_OUT_Y 0

/* neg */
#define BP_NEG_VERSION 1
#define BP_NEG_INPUTS 1
#define BP_NEG_OUTPUTS 1
#define BP_NEG_ATTRIBUTES 0
#define BP_NEG_IN_X 0
#define BP_NEG_OUT_Y 0

/* pad */
#define BP_PAD_VERSION 1
#define BP_PAD_INPUTS 1
#define BP_PAD_OUTPUTS 1
#define BP_PAD_ATTRIBUTES 3
#define BP_PAD_IN_X 0
#define BP_PAD_OUT_Y 0
#define BP_PAD_BEFORE 0 /* BP_ATTR_I64S */
#define BP_PAD_AFTER 1 /* BP_ATTR_I64S */
#define BP_PAD_VALUE 2 /* BP_ATTR_F64 */

/* reciprocal */
#define BP_RECIPROCAL_VERSION 1
#define BP_RECIPROCAL_INPUTS 1
#define BP_RECIPROCAL_OUTPUTS 1
#define BP_RECIPROCAL_ATTRIBUTES 0
#define BP_RECIPROCAL_IN_X 0
#define BP_RECIPROCAL_OUT_Y 0

/* reduce_max */
#define BP_REDUCE_MAX_VERSION 1
#define BP_REDUCE_MAX_INPUTS 1
#define BP_REDUCE_MAX_OUTPUTS 1
#define BP_REDUCE_MAX_ATTRIBUTES 2
#define BP_REDUCE_MAX_IN_X 0
#define BP_REDUCE_MAX_OUT_Y 0
#define BP_REDUCE_MAX_AXES 0 /* BP_ATTR_I64S */
#define BP_REDUCE_MAX_KEEP_DIMS 1 /* BP_ATTR_I64 */

/* reduce_mean */
#define BP_REDUCE_MEAN_VERSION 1
#define BP_REDUCE_MEAN_INPUTS 1
#define BP_REDUCE_MEAN_OUTPUTS 1
#define BP_REDUCE_MEAN_ATTRIBUTES 2
#define BP_REDUCE_MEAN_IN_X 0
#define BP_REDUCE_MEAN_OUT_Y 0
#define BP_REDUCE_MEAN_AXES 0 /* BP_ATTR_I64S */
#define BP_REDUCE_MEAN_KEEP_DIMS 1 /* BP_ATTR_I64 */

/* reduce_sum */
#define BP_REDUCE_SUM_VERSION 1
#define BP_REDUCE_SUM_INPUTS 1
#define BP_REDUCE_SUM_OUTPUTS 1
#define BP_REDUCE_SUM_ATTRIBUTES 2
#define BP_REDUCE_SUM_IN_X 0
#define BP_REDUCE_SUM_OUT_Y 0
#define BP_REDUCE_SUM_AXES 0 /* BP_ATTR_I64S */
#define BP_REDUCE_SUM_KEEP_DIMS 1 /* BP_ATTR_I64 */

/* relu */
#define BP_RELU_VERSION 1
#define BP_RELU_INPUTS 1
#define BP_RELU_OUTPUTS 1
#define BP_RELU_ATTRIBUTES 0
#define BP_RELU_IN_X 0
#define BP_RELU_OUT_Y 0

/* reshape */
#define BP_RESHAPE_VERSION 1
#define BP_RESHAPE_INPUTS 1
#define BP_RESHAPE_OUTPUTS 1
#define BP_RESHAPE_ATTRIBUTES 1
#define BP_RESHAPE_IN_X 0
#define BP_RESHAPE_OUT_Y 0
#define BP_RESHAPE_SHAPE 0 /* BP_ATTR_I64S */

/* rms_norm */
#define BP_RMS_NORM_VERSION 1
#define BP_RMS_NORM_INPUTS 2
#define BP_RMS_NORM_OUTPUTS 1
#define BP_RMS_NORM_ATTRIBUTES 2
#define BP_RMS_NORM_IN_X 0
#define BP_RMS_NORM_IN_WEIGHT 1 /* optional */
#define BP_RMS_NORM_OUT_Y 0
#define BP_RMS_NORM_EPSILON 0 /* BP_ATTR_F64 */
#define BP_RMS_NORM_WEIGHT_OFFSET 1 /* BP_ATTR_F64 */

/* rms_norm_rope */
#define BP_RMS_NORM_ROPE_VERSION 1
#define BP_RMS_NORM_ROPE_INPUTS 4
#define BP_RMS_NORM_ROPE_OUTPUTS 1
#define BP_RMS_NORM_ROPE_ATTRIBUTES 4
#define BP_RMS_NORM_ROPE_IN_X 0
#define BP_RMS_NORM_ROPE_IN_WEIGHT 1 /* optional */
#define BP_RMS_NORM_ROPE_IN_POSITIONS 2
#define BP_RMS_NORM_ROPE_IN_FREQUENCIES 3
#define BP_RMS_NORM_ROPE_OUT_Y 0
#define BP_RMS_NORM_ROPE_EPSILON 0 /* BP_ATTR_F64 */
#define BP_RMS_NORM_ROPE_WEIGHT_OFFSET 1 /* BP_ATTR_F64 */
#define BP_RMS_NORM_ROPE_INTERLEAVED 2 /* BP_ATTR_I64 */
#define BP_RMS_NORM_ROPE_SCALE 3 /* BP_ATTR_F64 */

/* rotary_embedding */
#define BP_ROTARY_EMBEDDING_VERSION 1
#define BP_ROTARY_EMBEDDING_INPUTS 3
#define BP_ROTARY_EMBEDDING_OUTPUTS 1
#define BP_ROTARY_EMBEDDING_ATTRIBUTES 2
#define BP_ROTARY_EMBEDDING_IN_X 0
#define BP_ROTARY_EMBEDDING_IN_POSITIONS 1
#define BP_ROTARY_EMBEDDING_IN_FREQUENCIES 2
#define BP_ROTARY_EMBEDDING_OUT_Y 0
#define BP_ROTARY_EMBEDDING_INTERLEAVED 0 /* BP_ATTR_I64 */
#define BP_ROTARY_EMBEDDING_SCALE 1 /* BP_ATTR_F64 */

/* rsqrt */
#define BP_RSQRT_VERSION 1
#define BP_RSQRT_INPUTS 1
#define BP_RSQRT_OUTPUTS 1
#define BP_RSQRT_ATTRIBUTES 0
#define BP_RSQRT_IN_X 0
#define BP_RSQRT_OUT_Y 0

/* scale */
#define BP_SCALE_VERSION 1
#define BP_SCALE_INPUTS 1
#define BP_SCALE_OUTPUTS 1
#define BP_SCALE_ATTRIBUTES 2
#define BP_SCALE_IN_X 0
#define BP_SCALE_OUT_Y 0
#define BP_SCALE_FACTOR 0 /* BP_ATTR_F64 */
#define BP_SCALE_OFFSET 1 /* BP_ATTR_F64 */

/* sigmoid */
#define BP_SIGMOID_VERSION 1
#define BP_SIGMOID_INPUTS 1
#define BP_SIGMOID_OUTPUTS 1
#define BP_SIGMOID_ATTRIBUTES 0
#define BP_SIGMOID_IN_X 0
#define BP_SIGMOID_OUT_Y 0

/* silu */
#define BP_SILU_VERSION 1
#define BP_SILU_INPUTS 1
#define BP_SILU_OUTPUTS 1
#define BP_SILU_ATTRIBUTES 0
#define BP_SILU_IN_X 0
#define BP_SILU_OUT_Y 0

/* sin */
#define BP_SIN_VERSION 1
#define BP_SIN_INPUTS 1
#define BP_SIN_OUTPUTS 1
#define BP_SIN_ATTRIBUTES 0
#define BP_SIN_IN_X 0
#define BP_SIN_OUT_Y 0

/* slice */
#define BP_SLICE_VERSION 1
#define BP_SLICE_INPUTS 1
#define BP_SLICE_OUTPUTS 1
#define BP_SLICE_ATTRIBUTES 4
#define BP_SLICE_IN_X 0
#define BP_SLICE_OUT_Y 0
#define BP_SLICE_AXIS 0 /* BP_ATTR_I64 */
#define BP_SLICE_START 1 /* BP_ATTR_I64 */
#define BP_SLICE_END 2 /* BP_ATTR_I64 */
#define BP_SLICE_STEP 3 /* BP_ATTR_I64 */

/* softcap */
#define BP_SOFTCAP_VERSION 1
#define BP_SOFTCAP_INPUTS 1
#define BP_SOFTCAP_OUTPUTS 1
#define BP_SOFTCAP_ATTRIBUTES 1
#define BP_SOFTCAP_IN_X 0
#define BP_SOFTCAP_OUT_Y 0
#define BP_SOFTCAP_CAP 0 /* BP_ATTR_F64 */

/* softmax */
#define BP_SOFTMAX_VERSION 1
#define BP_SOFTMAX_INPUTS 2
#define BP_SOFTMAX_OUTPUTS 1
#define BP_SOFTMAX_ATTRIBUTES 1
#define BP_SOFTMAX_IN_X 0
#define BP_SOFTMAX_IN_MASK 1 /* optional */
#define BP_SOFTMAX_OUT_Y 0
#define BP_SOFTMAX_SCALE 0 /* BP_ATTR_F64 */

/* softplus */
#define BP_SOFTPLUS_VERSION 1
#define BP_SOFTPLUS_INPUTS 1
#define BP_SOFTPLUS_OUTPUTS 1
#define BP_SOFTPLUS_ATTRIBUTES 0
#define BP_SOFTPLUS_IN_X 0
#define BP_SOFTPLUS_OUT_Y 0

/* sqrt */
#define BP_SQRT_VERSION 1
#define BP_SQRT_INPUTS 1
#define BP_SQRT_OUTPUTS 1
#define BP_SQRT_ATTRIBUTES 0
#define BP_SQRT_IN_X 0
#define BP_SQRT_OUT_Y 0

/* square */
#define BP_SQUARE_VERSION 1
#define BP_SQUARE_INPUTS 1
#define BP_SQUARE_OUTPUTS 1
#define BP_SQUARE_ATTRIBUTES 0
#define BP_SQUARE_IN_X 0
#define BP_SQUARE_OUT_Y 0

/* sub */
#define BP_SUB_VERSION 1
#define BP_SUB_INPUTS 2
#define BP_SUB_OUTPUTS 1
#define BP_SUB_ATTRIBUTES 0
#define BP_SUB_IN_A 0
#define BP_SUB_IN_B 1
#define BP_SUB_OUT_Y 0

/* tanh */
#define BP_TANH_VERSION 1
#define BP_TANH_INPUTS 1
#define BP_TANH_OUTPUTS 1
#define BP_TANH_ATTRIBUTES 0
#define BP_TANH_IN_X 0
#define BP_TANH_OUT_Y 0

/* tensor_scatter */
#define BP_TENSOR_SCATTER_VERSION 1
#define BP_TENSOR_SCATTER_INPUTS 3
#define BP_TENSOR_SCATTER_OUTPUTS 1
#define BP_TENSOR_SCATTER_ATTRIBUTES 1
#define BP_TENSOR_SCATTER_IN_CACHE 0
#define BP_TENSOR_SCATTER_IN_UPDATE 1
#define BP_TENSOR_SCATTER_IN_POSITIONS 2
#define BP_TENSOR_SCATTER_OUT_OUT 0
#define BP_TENSOR_SCATTER_MODE 0 /* BP_ATTR_STR */

/* transpose */
#define BP_TRANSPOSE_VERSION 1
#define BP_TRANSPOSE_INPUTS 1
#define BP_TRANSPOSE_OUTPUTS 1
#define BP_TRANSPOSE_ATTRIBUTES 1
#define BP_TRANSPOSE_IN_X 0
#define BP_TRANSPOSE_OUT_Y 0
#define BP_TRANSPOSE_PERMUTATION 0 /* BP_ATTR_I64S */

#endif
