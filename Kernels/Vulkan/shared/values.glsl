// Memory by address and element formats as numbers. Every rounding is to nearest, ties to even.
//
// Included first by every kernel. A kernel's arguments stand in one uniform block, in its manifest's order, each aligned to its size: a buffer is
// an address (0: absent), int and float have 4 bytes, long 8; extents are int[8], steps are int64_t[8] in bytes.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
// NaN and infinity are numbers here: SignedZeroInfNanPreserve, 32 bits.
#ifndef NAN_MAY_VANISH
spirv_execution_mode(extensions = ["SPV_KHR_float_controls"], capabilities = [4466], 4461, 32);
#endif

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
#define ARGUMENTS layout(set = 0, binding = 0, std430) uniform Arguments

// Words of manifests, such as formats' and functions' names, by number: W_q4_0.
#define WORD(name, number) const int W_##name = number;
#include "../host/words.def"
#undef WORD
const int ABSENT = W_none, F32 = W_f32, F16 = W_f16, BF16 = W_bf16, F64 = W_f64, I8 = W_i8, U8 = W_u8, I16 = W_i16, I32 = W_i32, I64 = W_i64, BOOL = W_bool,
          Q4_0 = W_q4_0, Q4_1 = W_q4_1, Q5_0 = W_q5_0, Q5_1 = W_q5_1, Q8_0 = W_q8_0, Q2_K = W_q2_K, Q3_K = W_q3_K, Q4_K = W_q4_K, Q5_K = W_q5_K, Q6_K = W_q6_K,
          IQ4_NL = W_iq4_nl, MXFP4 = W_mxfp4, TQ2_0 = W_tq2_0, Q4_Z = W_q4_z, NF4 = W_nf4;

layout(buffer_reference, std430, buffer_reference_align = 1) buffer At8 { uint8_t v; };
layout(buffer_reference, std430, buffer_reference_align = 2) buffer At16 { uint16_t v; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer At32 { uint v; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer AtFloat { float v; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer At64 { uint64_t v; };

uint byte_at(uint64_t p) { return uint(At8(p).v); }
int sbyte_at(uint64_t p) { return int(int8_t(At8(p).v)); }
uint half_bits_at(uint64_t p) { return uint(At16(p).v); }
uint word_at(uint64_t p) { return At32(p).v; }
int int_at(uint64_t p) { return int(At32(p).v); }
float float_at(uint64_t p) { return AtFloat(p).v; }

#define INFINITY uintBitsToFloat(0x7f800000u)
bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }
float nan() { return uintBitsToFloat(0x7fc00000u); }

// A number of `bits`; subnormal ones are made from whole numbers, so that no driver flushes them.
float from_f16(uint bits) {
  uint sign = (bits & 0x8000u) << 16, rest = (bits & 0x7fffu) << 13;
  if (rest >= 0x0f800000u) return uintBitsToFloat(sign | (rest + 0x70000000u));
  if (rest >= 0x00800000u) return uintBitsToFloat(sign | (rest + 0x38000000u));
  return uintBitsToFloat(sign | floatBitsToUint(float(bits & 0x3ffu) * 5.9604644775390625e-8));
}
uint to_f16(float f) {
  uint u = floatBitsToUint(f), sign = (u >> 16) & 0x8000u;
  u &= 0x7fffffffu;
  if (u > 0x7f800000u) return sign | 0x7e00u | ((u >> 13) & 0x3ffu);
  if (u >= 0x477ff000u) return sign | 0x7c00u; // 65520 and up
  if (u < 0x38800000u) return sign | uint(roundEven(uintBitsToFloat(u) * 16777216.0));
  return sign | ((u + 0xc8000fffu + ((u >> 13) & 1u)) >> 13);
}
float from_bf16(uint bits) { return uintBitsToFloat(bits << 16); }
uint to_bf16(float f) {
  uint u = floatBitsToUint(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return u >> 16 | 0x40u;
  return (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
}

float load_float(uint64_t p, const int format) {
  if (format == F16) return from_f16(half_bits_at(p));
  if (format == BF16) return from_bf16(half_bits_at(p));
  return float_at(p);
}
void store_float(uint64_t p, const int format, float x) {
  if (format == F16) At16(p).v = uint16_t(to_f16(x));
  else if (format == BF16) At16(p).v = uint16_t(to_bf16(x));
  else AtFloat(p).v = x;
}
// What x becomes when it is stored and read again.
float rounded_to(float x, const int format) {
  if (format == F16) return from_f16(to_f16(x));
  if (format == BF16) return from_bf16(to_bf16(x));
  return x;
}
int64_t load_whole(uint64_t p, const int format) {
  if (format == I64) return int64_t(At64(p).v);
  if (format == I32) return int64_t(int_at(p));
  if (format == I16) return int64_t(int16_t(At16(p).v));
  if (format == I8) return int64_t(sbyte_at(p));
  if (format == BOOL) return byte_at(p) != 0u ? 1l : 0l;
  return int64_t(byte_at(p));
}
// 64-bit numbers are compared in halves: a driver gets comparisons of whole ones wrong.
bool is_negative(int64_t x) { return int(unpackUint2x32(uint64_t(x)).y) < 0; }
bool is_less(int64_t a, int64_t b) {
  uvec2 x = unpackUint2x32(uint64_t(a)), y = unpackUint2x32(uint64_t(b));
  return x.y == y.y ? x.x < y.x : int(x.y) < int(y.y);
}
int saturated(int64_t x) {
  uvec2 w = unpackUint2x32(uint64_t(x));
  return int(w.y) == int(w.x) >> 31 ? int(w.x) : int(w.y) < 0 ? -2147483647 - 1 : 2147483647;
}
// Saturates.
void store_whole(uint64_t p, const int format, int64_t x) {
  if (format == I64) At64(p).v = uint64_t(x);
  else if (format == I32) At32(p).v = uint(saturated(x));
  else if (format == I16) At16(p).v = uint16_t(clamp(saturated(x), -32768, 32767));
  else if (format == I8) At8(p).v = uint8_t(clamp(saturated(x), -128, 127));
  else if (format == BOOL) At8(p).v = uint8_t(saturated(x) != 0 ? 1 : 0);
  else At8(p).v = uint8_t(clamp(saturated(x), 0, 255));
}
bool is_float(const int format) { return format == F32 || format == F16 || format == BF16; }
// Positions and indices.
int64_t load_index(uint64_t p, const int format) { return format == I64 ? int64_t(At64(p).v) : int64_t(int_at(p)); }

// The number of this work item among all, and how many there are: kernels go on by that step until all is done.
uint item() { return gl_GlobalInvocationID.x; }
uint items() { return gl_NumWorkGroups.x * gl_WorkGroupSize.x; }
