// f16 and bf16 as the DMA engine converts them: to nearest, ties to even.
#ifndef BACKPLANE_NPU_NUMBERS_H
#define BACKPLANE_NPU_NUMBERS_H
#include <math.h>
#include <string.h>
#include "npu_engine.h"

static inline uint32_t npu_word(float x) { uint32_t w; memcpy(&w, &x, 4); return w; }
static inline float npu_number(uint32_t w) { float x; memcpy(&x, &w, 4); return x; }

static inline float npu_read_f16(const void *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  float size = (h & 0x7c00) == 0x7c00 ? (h & 1023 ? NAN : INFINITY) : npu_number((uint32_t)(h & 0x7fff) << 13) * 0x1p112f;
  return h & 0x8000 ? -size : size;
}

static inline uint16_t npu_f16(float x) {
  uint16_t sign = (uint16_t)(npu_word(x) >> 16 & 0x8000);
  float size = fabsf(x);
  if (isnan(x)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // A number whose last place is that of the result: adding it rounds, to even, as f32 does.
  int exponent;
  frexpf(size, &exponent);
  if (exponent < -13) exponent = -13;
  float unit = ldexpf(1, exponent - 11), steps = nearbyintf(size / unit);
  if (steps >= 2048) { steps /= 2; exponent++; }
  return steps < 1024 ? (uint16_t)(sign | (uint16_t)steps) : (uint16_t)(sign | (uint16_t)((exponent + 14) << 10) | ((uint16_t)steps & 1023));
}

static inline float npu_read_bf16(const void *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  return npu_number((uint32_t)h << 16);
}
static inline uint16_t npu_bf16(float x) {
  uint32_t w = npu_word(x);
  if (isnan(x)) return (uint16_t)(w >> 16 | 0x40);
  return (uint16_t)((w + 0x7fff + (w >> 16 & 1)) >> 16);
}
#endif
