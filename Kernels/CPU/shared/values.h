// Element formats as numbers: conversion of single values and of strided runs. Every rounding is to nearest, ties to even.
#ifndef BACKPLANE_CPU_VALUES_H
#define BACKPLANE_CPU_VALUES_H
#include <math.h>
#include <string.h>
#include "backplane_operators.h"
#include "cpu_kernels.h"

// Elements that a kernel converts at a time; the temporaries lie on the stack.
#define BP_TILE 256

static inline uint32_t bp_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float bp_float(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

static inline float bp_from_f16(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
  if (rest >= 0x0f800000) return bp_float(sign | (rest + 0x70000000));       // infinity, NaN
  if (rest >= 0x00800000) return bp_float(sign | (rest + 0x38000000));       // normal
  float small = bp_float(rest + 0x38800000) - bp_float(0x38800000);          // subnormal: let the FPU normalise
  return bp_float(sign | bp_bits(small));
}
static inline uint16_t bp_to_f16(float f) {
  uint32_t u = bp_bits(f), sign = (u >> 16) & 0x8000;
  u &= 0x7fffffff;
  if (u > 0x7f800000) return (uint16_t)(sign | 0x7e00 | ((u >> 13) & 0x3ff));
  if (u >= 0x477ff000) return (uint16_t)(sign | 0x7c00);                     // 65520 and up
  if (u < 0x38800000) return (uint16_t)(sign | (bp_bits(bp_float(u) + 0.5f) - 0x3f000000));
  return (uint16_t)(sign | ((u + 0xc8000fff + ((u >> 13) & 1)) >> 13));
}
static inline float bp_from_bf16(uint16_t h) { return bp_float((uint32_t)h << 16); }
static inline uint16_t bp_to_bf16(float f) {
  uint32_t u = bp_bits(f);
  if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
  return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

static inline int bp_is_float(bp_id format) { return format == BP_FORMAT_F32 || format == BP_FORMAT_F16 || format == BP_FORMAT_BF16; }

static inline float bp_load_one(const char *p, bp_id format) {
  uint16_t h;
  switch (format) {
  case BP_FORMAT_F16: memcpy(&h, p, 2); return bp_from_f16(h);
  case BP_FORMAT_BF16: memcpy(&h, p, 2); return bp_from_bf16(h);
  default: { float f; memcpy(&f, p, 4); return f; }
  }
}
static inline void bp_store_one(char *p, bp_id format, float f) {
  uint16_t h;
  switch (format) {
  case BP_FORMAT_F16: h = bp_to_f16(f); memcpy(p, &h, 2); return;
  case BP_FORMAT_BF16: h = bp_to_bf16(f); memcpy(p, &h, 2); return;
  default: memcpy(p, &f, 4);
  }
}

// to[0 … n-1] = n values, `step` bytes apart.
static inline void bp_load_run(float *to, const char *from, int64_t step, uint64_t n, bp_id format) {
  switch (format) {
  case BP_FORMAT_F16: for (uint64_t i = 0; i < n; i++) to[i] = bp_load_one(from + (int64_t)i * step, BP_FORMAT_F16); return;
  case BP_FORMAT_BF16: for (uint64_t i = 0; i < n; i++) to[i] = bp_load_one(from + (int64_t)i * step, BP_FORMAT_BF16); return;
  default:
    if (step == 4) memcpy(to, from, n * 4);
    else for (uint64_t i = 0; i < n; i++) to[i] = bp_load_one(from + (int64_t)i * step, BP_FORMAT_F32);
  }
}
static inline void bp_store_run(char *to, int64_t step, const float *from, uint64_t n, bp_id format) {
  switch (format) {
  case BP_FORMAT_F16: for (uint64_t i = 0; i < n; i++) bp_store_one(to + (int64_t)i * step, BP_FORMAT_F16, from[i]); return;
  case BP_FORMAT_BF16: for (uint64_t i = 0; i < n; i++) bp_store_one(to + (int64_t)i * step, BP_FORMAT_BF16, from[i]); return;
  default:
    if (step == 4) memcpy(to, from, n * 4);
    else for (uint64_t i = 0; i < n; i++) bp_store_one(to + (int64_t)i * step, BP_FORMAT_F32, from[i]);
  }
}
// What `f` becomes when it is stored and read again.
static inline float bp_rounded(float f, bp_id format) {
  switch (format) {
  case BP_FORMAT_F16: return bp_from_f16(bp_to_f16(f));
  case BP_FORMAT_BF16: return bp_from_bf16(bp_to_bf16(f));
  default: return f;
  }
}
// Positions and indices: i32 or i64.
static inline int64_t bp_load_index(const bp_cpu_view *v, int64_t i) {
  const char *p = (const char *)v->data + i * v->stride[0];
  if (v->dtype == BP_FORMAT_I64) { int64_t x; memcpy(&x, p, 8); return x; }
  int32_t x;
  memcpy(&x, p, 4);
  return x;
}
#endif
