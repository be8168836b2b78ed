// Integers with scales and zero points: quantize_linear, dequantize_linear, dynamic_quantize, matmul_integer, qlinear_matmul. In f32, to nearest, ties to even.
#include "shared/quantizers.cl"
#include "shared/rows.cl"

#define size_i8 1
#define size_u8 1
inline int load_i8(global const uchar *p) { return *(global const char *)p; }
inline int load_u8(global const uchar *p) { return *p; }
// saturate(round(v) + zero); a NaN counts as 0.
inline uchar to_i8(float v, int zero) { return (uchar)(char)clamp((isnan(v) ? 0 : rint(clamp(v, -4e9f, 4e9f))) + (float)zero, -128.0f, 127.0f); }
inline uchar to_u8(float v, int zero) { return (uchar)clamp((isnan(v) ? 0 : rint(clamp(v, -4e9f, 4e9f))) + (float)zero, 0.0f, 255.0f); }
#define TO(format) JOIN(to_, format)

#if IS_ELEMENTWISE
kernel void quantize_linear(OUT(y), IN(x), IN(scale), IN(zero), const int8 extents, const long8 y_steps, const long8 x_steps, const long8 scale_steps,
                            const long8 zero_steps) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *x = AT(x) + offset_of_run(run, extents, x_steps), *scale = AT(scale) + offset_of_run(run, extents, scale_steps);
#if HAS_ZERO
  global const uchar *zero = AT(zero) + offset_of_run(run, extents, zero_steps);
#define ZERO LOAD(Z)(zero + i * zero_steps.s7)
#else
#define ZERO 0
#endif
  for (long i = begin; i < end; i++) {
    const float s = load_f32(scale + i * scale_steps.s7);
#if IS_DECODE
    STORE(Y)(y + i * y_steps.s7, (float)((long)LOAD(X)(x + i * x_steps.s7) - ZERO) * s);
#else
    y[i * y_steps.s7] = TO(Y)(LOAD(X)(x + i * x_steps.s7) / s, ZERO);
#endif
  }
}

#elif IS_MATMUL
// a [.. M K] times b [.. N K], or [.. K N]: a work item an element of the result.
kernel void matmul_integer(OUT(y), IN(a), IN(b), IN(a_zero), IN(b_zero), IN(a_scale), IN(b_scale), IN(y_scale), IN(y_zero), const int8 extents,
                           const long8 y_steps, const long8 a_steps, const long8 b_steps, const int rows, const int columns, const int k, const long y_row,
                           const long y_column, const long a_row, const long a_k, const long b_column, const long b_k, const long a_zero_step,
                           const long b_zero_step, const long a_scale_step, const long b_scale_step) {
  const int column = get_global_id(0), row = get_global_id(1);
  const uint batch = get_global_id(2);
  if (column >= columns) return;
  global const uchar *a = AT(a) + offset_of(batch, extents, a_steps) + row * a_row, *b = AT(b) + offset_of(batch, extents, b_steps) + column * b_column;
  const uint za = HAS_A_ZERO ? LOAD(AZ)(AT(a_zero) + row * a_zero_step) : 0, zb = HAS_B_ZERO ? LOAD(BZ)(AT(b_zero) + column * b_zero_step) : 0;
  uint sum = 0;
  for (long i = 0; i < k; i++) sum += ((uint)LOAD(A)(a + i * a_k) - za) * ((uint)LOAD(B)(b + i * b_k) - zb);
  global uchar *y = AT(y) + offset_of(batch, extents, y_steps) + row * y_row + column * y_column;
#if IS_QLINEAR
  const float scale = load_f32(AT(a_scale) + row * a_scale_step) * load_f32(AT(b_scale) + column * b_scale_step) / load_f32(AT(y_scale));
  *y = TO(Y)((float)(int)sum * scale, HAS_Y_ZERO ? LOAD(YZ)(AT(y_zero)) : 0);
#else
  store_i32(y, (int)sum);
#endif
}

#else
inline float2 range_of(global const uchar *x, int n, long step) {
  float2 r = 0;
  for (int i = 0; i < n; i++) {
    float v = LOAD(X)(x + i * step);
    r = (float2)(v < r.x ? v : r.x, v > r.y ? v : r.y);
  }
  return r;
}

// i8, and blocks of q8_0: a work item a row.
kernel void dynamic_quantize(OUT(y), IN(x), OUT(scale), OUT(zero), const int8 extents, const long8 y_steps, const long8 x_steps, const long8 scale_steps,
                             const long8 zero_steps, const int n, const long y_step, const long x_step) {
  const uint index = get_global_id(0);
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
  float s = 1;
#if IS_BLOCK
  for (int begin = 0; begin < n; begin += 32) {
    float v[32];
    for (int i = 0; i < 32; i++) v[i] = LOAD(X)(x + (begin + i) * x_step);
    quantize_q8_0(y + begin / 32 * 34, v);
  }
#else
  const float2 r = range_of(x, n, x_step);
  s = fmax(-r.x, r.y) / 127;
  if (s == 0) s = 1;
  for (int i = 0; i < n; i++) y[i * y_step] = to_i8(LOAD(X)(x + i * x_step) / s, 0);
#endif
  if (HAS_SCALE) store_f32(AT(scale) + offset_of(index, extents, scale_steps), s);
  if (HAS_ZERO) *(AT(zero) + offset_of(index, extents, zero_steps)) = 0;
}

// u8: one scale for the whole tensor. One work item finds it, the second kernel applies it.
kernel void tensor_range(OUT(range), IN(x), OUT(scale), OUT(zero), const int8 extents, const long8 x_steps, const int rows, const int n, const long x_step) {
  float2 r = 0;
  for (int row = 0; row < rows; row++) {
    float2 own = range_of(AT(x) + offset_of(row, extents, x_steps), n, x_step);
    r = (float2)(fmin(r.x, own.x), fmax(r.y, own.y));
  }
  float s = (r.y - r.x) / 255;
  if (s == 0) s = 1;
  const float z = clamp(rint(-r.x / s), 0.0f, 255.0f);
  store_f32(AT(range), s);
  store_f32(AT(range) + 4, z);
  if (HAS_SCALE) store_f32(AT(scale), s);
  if (HAS_ZERO) *AT(zero) = (uchar)z;
}
kernel void apply_range(OUT(y), IN(x), IN(range), const int8 extents, const long8 y_steps, const long8 x_steps, const int n, const long y_step, const long x_step) {
  const uint index = get_global_id(0);
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
  const float s = load_f32(AT(range));
  const int z = load_f32(AT(range) + 4);
  for (int i = 0; i < n; i++) y[i * y_step] = to_u8(LOAD(X)(x + i * x_step) / s, z);
}
#endif
