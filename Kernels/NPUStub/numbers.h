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
  // Below 2^-14 the result counts steps of 2^-24: added to 0.5 they are the last bits of an f32, rounded as f32 rounds.
  if (size < 0x1p-14f) return sign | (uint16_t)(npu_word(size + 0.5f) - npu_word(0.5f));
  // Else 13 bits of the fraction go; a carry into the exponent is right. The exponents' zeros lie 112 apart.
  uint32_t w = npu_word(size);
  w += 0xfff + (w >> 13 & 1);
  return sign | (uint16_t)((w - 0x38000000u) >> 13);
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
