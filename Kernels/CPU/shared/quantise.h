// Rounding to few bits: ggml's block formats, and 8-bit integers with a scale and a zero point.
#ifndef BACKPLANE_CPU_QUANTISE_H
#define BACKPLANE_CPU_QUANTISE_H
#include "values.h"

// 0 for what is not finite.
static inline int8_t bp_to_i8(float q) { return !(fabsf(q) < INFINITY) ? 0 : q >= 127 ? 127 : q <= -128 ? -128 : (int8_t)q; }

// A block as ggml's reference quantises it, in f32.
static inline void bp_quantise_q8_0(char *to, const float *x) {
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[i]));
  float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
  uint16_t half = bp_to_f16(d);
  memcpy(to, &half, 2);
  for (int i = 0; i < 32; i++) to[2 + i] = bp_to_i8(roundf(x[i] * inverse));
}

// An element of an i8, u8 or i32 tensor.
static inline int32_t bp_load_small(const char *p, bp_id format) {
  if (format == BP_FORMAT_I8) return *(const int8_t *)p;
  if (format == BP_FORMAT_U8) return *(const uint8_t *)p;
  int32_t x;
  memcpy(&x, p, 4);
  return x;
}
static inline int bp_is_small(bp_id format) { return format == BP_FORMAT_I8 || format == BP_FORMAT_U8; }

// saturate(round(v) + zero) in i8 or u8: to nearest, ties to even; NaN counts as 0.
static inline void bp_store_quant(char *p, bp_id format, double v, int32_t zero) {
  double low = format == BP_FORMAT_I8 ? -128 : 0, high = format == BP_FORMAT_I8 ? 127 : 255;
  double q = (v != v ? 0 : rint(v)) + zero;
  int whole = (int)(q < low ? low : q > high ? high : q);
  *(uint8_t *)p = (uint8_t)whole;
}
#endif
