// Operands, element formats as numbers, and walks over dimensions. Every rounding is to nearest, ties to even.
#pragma OPENCL FP_CONTRACT OFF
#ifdef HAS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

// An operand arrives as a buffer and the bytes from its beginning to the first element.
#define IN(x) global const uchar *x##_base, const ulong x##_at
#define OUT(x) global uchar *x##_base, const ulong x##_at
#define AT(x) (x##_base + x##_at)

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
// With a format's name: LOAD(X)(p), LOAD16(X)(p), STORE(Y)(p, v), SIZE(X).
#define LOAD(format) JOIN(load_, format)
#define LOAD16(format) JOIN(load16_, format)
#define STORE(format) JOIN(store_, format)
#define STORE16(format) JOIN(store16_, format)
#define SIZE(format) JOIN(size_, format)
#define size_f32 4
#define size_f16 2
#define size_bf16 2
#define size_i32 4
#define size_i64 8

inline float load_f32(global const uchar *p) { return *(global const float *)p; }
#if SLOW_HALF
// Some drivers convert halves by many steps. A product does it in one, subnormal numbers included, but for infinities and NaN.
inline float load_f16(global const uchar *p) {
  const uint h = *(global const ushort *)p, bits = (h & 0x8000) << 16 | (h & 0x7fff) << 13;
  return (h & 0x7c00) == 0x7c00 ? as_float(bits | 0x7f800000) : as_float(bits) * 0x1p112f;
}
inline float16 load16_f16(global const uchar *p) {
  const uint16 h = convert_uint16(vload16(0, (global const ushort *)p)), bits = (h & 0x8000) << 16 | (h & 0x7fff) << 13;
  return select(as_float16(bits) * 0x1p112f, as_float16(bits | 0x7f800000), (h & 0x7c00) == 0x7c00);
}
#else
inline float load_f16(global const uchar *p) { return vload_half(0, (global const half *)p); }
inline float16 load16_f16(global const uchar *p) { return vload_half16(0, (global const half *)p); }
#endif
inline float load_bf16(global const uchar *p) { return as_float((uint)*(global const ushort *)p << 16); }
inline float load_none(global const uchar *p) { return 0; }
inline int load_i32(global const uchar *p) { return *(global const int *)p; }
inline long load_i64(global const uchar *p) { return *(global const long *)p; }
inline void store_f32(global uchar *p, float v) { *(global float *)p = v; }
inline void store_f16(global uchar *p, float v) { vstore_half_rte(v, 0, (global half *)p); }
inline ushort bf16_bits(float v) {
  uint u = as_uint(v);
  return isnan(v) ? (ushort)(u >> 16 | 0x40) : (ushort)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
inline void store_bf16(global uchar *p, float v) { *(global ushort *)p = bf16_bits(v); }
inline void store_i32(global uchar *p, int v) { *(global int *)p = v; }
inline void store_i64(global uchar *p, long v) { *(global long *)p = v; }

inline float16 load16_f32(global const uchar *p) { return vload16(0, (global const float *)p); }
inline float16 load16_bf16(global const uchar *p) { return as_float16(convert_uint16(vload16(0, (global const ushort *)p)) << 16); }
inline void store16_f32(global uchar *p, float16 v) { vstore16(v, 0, (global float *)p); }
#if ALIGNED_HALF_STORE
// Some drivers store sixteen halves as if they lay at a multiple of sixteen bytes: so they go through a register.
inline void store16_f16(global uchar *p, float16 v) {
  ushort16 bits;
  vstore_half16_rte(v, 0, (half *)&bits);
  vstore16(bits, 0, (global ushort *)p);
}
#else
inline void store16_f16(global uchar *p, float16 v) { vstore_half16_rte(v, 0, (global half *)p); }
#endif
inline void store16_bf16(global uchar *p, float16 v) {
  uint16 u = as_uint16(v);
  uint16 rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16, quiet = u >> 16 | 0x40;
  vstore16(convert_ushort16(select(rounded, quiet, as_uint16(isnan(v)))), 0, (global ushort *)p);
}

inline float sum16(float16 v) {
  float8 a = v.lo + v.hi;
  float4 b = a.lo + a.hi;
  float2 c = b.lo + b.hi;
  return c.x + c.y;
}
// A NaN counts as largest.
inline float larger(float a, float b) { return isnan(a) || a > b ? a : b; }
inline float max16(float16 v) {
  float8 a = select(v.hi, v.lo, isnan(v.lo) | (v.lo > v.hi));
  float4 b = select(a.hi, a.lo, isnan(a.lo) | (a.lo > a.hi));
  return larger(larger(b.x, b.y), larger(b.z, b.w));
}

// Bytes to the element with row-major number `i` of dimensions of these extents, the last in slot 7.
inline long offset_of(uint i, int8 extents, long8 steps) {
  long at = 0;
#define WALK_DIMENSION(slot)                                                                                              \
  if (i == 0) return at;                                                                                                  \
  at += (long)(i % (uint)extents.slot) * steps.slot;                                                                      \
  i /= (uint)extents.slot;
  WALK_DIMENSION(s7)
  WALK_DIMENSION(s6)
  WALK_DIMENSION(s5)
  WALK_DIMENSION(s4)
  WALK_DIMENSION(s3)
  WALK_DIMENSION(s2)
  WALK_DIMENSION(s1)
  WALK_DIMENSION(s0)
  return at;
}
// As above for runs along slot 7: their beginnings.
inline long offset_of_run(uint i, int8 extents, long8 steps) {
  extents.s7 = 1;
  return offset_of(i, extents, steps);
}
