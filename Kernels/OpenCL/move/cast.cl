// cast: between f32, f16, bf16, i8, u8, i32, i64 and bool. Integers go through 64 bits, floats through f32, both exactly; a result is rounded once, and
// saturates where it is a whole number.
// Formats are numbers here, so that one compiled kernel does all pairs.
#include "shared/values.cl"
enum { F32, F16, BF16, I8, U8, I32, I64, BOOL };

// The f32 next to `v` towards 0, its last bit set when it is not exact: rounding it to fewer bits rounds `v` itself correctly.
inline float odd(long v) {
  float f = convert_float_rtz(v);
  return convert_long_sat(f) == v ? f : as_float(as_uint(f) | 1);
}
inline void store_number(global uchar *y, int format, bool whole, long i, float f) {
  switch (format) {
  case F32: store_f32(y, whole ? convert_float_rte(i) : f); return;
  case F16: store_f16(y, whole ? odd(i) : f); return;
  case BF16: store_bf16(y, whole ? odd(i) : f); return;
  case BOOL: *y = whole ? i != 0 : f != 0; return;
  }
  if (!whole) i = isnan(f) ? 0 : convert_long_sat_rtz(f);
  switch (format) {
  case I8: *(global char *)y = convert_char_sat(i); return;
  case U8: *y = convert_uchar_sat(i); return;
  case I32: store_i32(y, convert_int_sat(i)); return;
  default: store_i64(y, i);
  }
}
kernel void cast(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps, const int to, const int from) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *x = AT(x) + offset_of_run(run, extents, x_steps);
  for (long i = begin; i < end; i++) {
    global uchar *at = y + i * y_steps.s7;
    global const uchar *p = x + i * x_steps.s7;
    switch (from) {
    case F32: store_number(at, to, false, 0, load_f32(p)); break;
    case F16: store_number(at, to, false, 0, load_f16(p)); break;
    case BF16: store_number(at, to, false, 0, load_bf16(p)); break;
    case I8: store_number(at, to, true, *(global const char *)p, 0); break;
    case U8: store_number(at, to, true, *p, 0); break;
    case I32: store_number(at, to, true, load_i32(p), 0); break;
    case I64: store_number(at, to, true, load_i64(p), 0); break;
    default: store_number(at, to, true, *p != 0, 0);
    }
  }
}
