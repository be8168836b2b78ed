// The NEON meaning of the names that i8_*.h are written in, with the products of four (dotprod), or of matrices (i8mm) where I8_MM is 1.
//
// A register of those names is two of the processor's. Formats that fill eight bits stay signed, so that both factors are signed bytes.
#ifndef BACKPLANE_CPU_I8_LANES_H
#define BACKPLANE_CPU_I8_LANES_H
#include "../shared/lanes_neon.h"
#define I8_FN static inline __attribute__((always_inline))
#include "i8_format.h"

// Registers of a group; rows of a strip; bytes of a row that lie together; columns whose dots go on together; most rows of dots; of quads.
enum { I8_REGISTERS = 4, I8_STRIP = 4, I8_WORD = I8_MM ? 8 : 4, I8_TOGETHER = 1, I8_DOT_MOST = 4, I8_QUAD_MOST = 0 };

I8_FN vi i8_load(const void *p) { vi x; memcpy(&x, p, 32); return x; }
I8_FN vi i8_set(int32_t x) { return (vi){x, x, x, x, x, x, x, x}; }
I8_FN vf i8_float(vi x) { return __builtin_convertvector(x, vf); }
I8_FN int i8_is_paired(int code) { (void)code; return 0; }
I8_FN int i8_dot_most(int code) { return i8_is_split(code) ? I8_DOT_MOST : 2; } // beyond, a panel is faster
I8_FN int i8_zero_of(int code) { return i8_is_wide(code) ? 0 : i8_offset(code); }
I8_FN int32x4_t i8_low(vi x) { return __builtin_shufflevector(x, x, 0, 1, 2, 3); }
I8_FN int32x4_t i8_high(vi x) { return __builtin_shufflevector(x, x, 4, 5, 6, 7); }
I8_FN vi i8_pair(int32x4_t low, int32x4_t high) { return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7); }
I8_FN vi i8_join(uint8x16_t low, uint8x16_t high) { return i8_pair(vreinterpretq_s32_u8(low), vreinterpretq_s32_u8(high)); }

// Sums of four products each: begun with a correction, continued by registers of weights and activations, ended.
I8_FN int i8_most_steps(int code) { (void)code; return 8; }
I8_FN vi i8_begin(vi correction) { return correction; }
I8_FN vi i8_dot(int code, vi sums, vi w, vi a) {
  (void)code;
  return i8_pair(vdotq_s32(i8_low(sums), vreinterpretq_s8_s32(i8_low(w)), vreinterpretq_s8_s32(i8_low(a))),
                 vdotq_s32(i8_high(sums), vreinterpretq_s8_s32(i8_high(w)), vreinterpretq_s8_s32(i8_high(a))));
}
I8_FN vi i8_end(int code, vi sums, vi correction) { (void)code, (void)correction; return sums; }

#if I8_MM
// LANES rows of four registers' words … in columns: word i of row n goes to word i * to_row + n.
I8_FN void i8_transpose(const vi *rows, char *to, int64_t to_row) {
  for (int64_t i = 0; i < 4; i++)
    for (int64_t n = 0; n < LANES; n++) memcpy(to + I8_WORD * (i * to_row + n), (const char *)(rows + n) + I8_WORD * i, I8_WORD);
}
// sums += two rows of eight numbers at a, times LANES columns of eight at w. A quarter of the sums belongs to two columns: those of the
// first row, then those of the second.
I8_FN void i8_add_products(vi *first, vi *second, const char *w, const char *a) {
  int8x16_t rows = vld1q_s8((const int8_t *)a), columns[4];
  for (int i = 0; i < 4; i++) columns[i] = vld1q_s8((const int8_t *)w + 16 * i);
  *first = i8_pair(vmmlaq_s32(i8_low(*first), rows, columns[0]), vmmlaq_s32(i8_high(*first), rows, columns[1]));
  *second = i8_pair(vmmlaq_s32(i8_low(*second), rows, columns[2]), vmmlaq_s32(i8_high(*second), rows, columns[3]));
}
// Such sums as one register a row.
I8_FN void i8_sort_products(vi *first, vi *second) {
  vi x = *first, y = *second;
  *first = __builtin_shufflevector(x, y, 0, 1, 4, 5, 8, 9, 12, 13);
  *second = __builtin_shufflevector(x, y, 2, 3, 6, 7, 10, 11, 14, 15);
}
#else
I8_FN void i8_transpose(const vi *rows, char *to, int64_t to_row) { v_transpose((const float *)rows, LANES, (float *)to, to_row); }
#endif

// One factor for each scale of the register: `lanes` lanes each.
I8_FN vf i8_spread(int lanes, const float *p) {
  vf x = v_set(p[0]);
  return lanes == 8 ? x : __builtin_shufflevector(x, v_set(p[1]), 0, 1, 2, 3, 8, 9, 10, 11);
}

// The scales of one step as floats: i8_scales.h says how they lie.
I8_FN void i8_scales(int code, const uint8_t *b, float scales[32]) {
  switch (code) {
  case I8_MXFP4: {
    int large = 0;
    for (int i = 0; i < 4; i++) scales[i] = bp_half_e8m0(b[17 * i]), large |= b[17 * i] > 252;
    if (large) i8_overflow(b, scales);
    return;
  }
  case I8_Q4_Z:
    for (int i = 0; i < 4; i++, b += 22) scales[i] = bp_f32_at(b), scales[16 + i] = (float)-bp_z_at(b) * scales[i];
    return;
  case I8_Q2_K:
    for (int i = 0; i < 16; i++) scales[i] = bp_f16_at(b + 80) * (float)(b[i] & 15), scales[16 + i] = -bp_f16_at(b + 82) * (float)(b[i] >> 4);
    return;
  case I8_Q3_K:
    for (int i = 0; i < 16; i++) scales[i] = bp_f16_at(b + 108) * (float)(bp_q3_scale(b + 96, i) - 32);
    return;
  case I8_Q4_K: case I8_Q5_K:
    for (int i = 0; i < 8; i++) {
      int scale, least;
      bp_k_scale(b + 4, i, &scale, &least);
      scales[i] = bp_f16_at(b) * (float)scale, scales[16 + i] = -bp_f16_at(b + 2) * (float)least;
    }
    return;
  case I8_Q6_K:
    for (int i = 0; i < 16; i++) scales[i] = bp_f16_at(b + 208) * (float)(int8_t)b[192 + i];
    return;
  case I8_TQ2_0: v_store(scales, v_set(bp_f16_at(b + 64))); return;
  default:
    for (int i = 0; i < 4; i++) {
      const uint8_t *block = b + i * i8_block_bytes(code);
      scales[i] = bp_f16_at(block);
      if (i8_has_minimum(code)) scales[16 + i] = bp_f16_at(block + 2);
    }
  }
}

#include "i8_factors.h"

// 16 in byte i where bit i of 16 is set.
I8_FN uint8x16_t i8_fifth(const uint8_t *bits) {
  static const uint8_t each[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  return vandq_u8(vtstq_u8(vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1])), vld1q_u8(each)), vdupq_n_u8(16));
}
// 32 bytes at p, shifted right (left where negative), of them the bits in `mask`.
I8_FN vi i8_bits(const uint8_t *p, int shift, uint8_t mask) {
  uint8x16_t x = vandq_u8(vshlq_u8(vld1q_u8(p), vdupq_n_s8((int8_t)-shift)), vdupq_n_u8(mask));
  return i8_join(x, vandq_u8(vshlq_u8(vld1q_u8(p + 16), vdupq_n_s8((int8_t)-shift)), vdupq_n_u8(mask)));
}

// The numbers of group `part` of the step at b.
I8_FN void i8_codes(int code, const uint8_t *b, int part, vi q[I8_REGISTERS]) {
  const int bytes = i8_block_bytes(code);
  switch (code) {
  case I8_Q4_0: case I8_Q4_1: case I8_IQ4_NL: case I8_MXFP4: case I8_Q4_Z: case I8_Q5_0: case I8_Q5_1: {
    uint8x16_t half[2][4]; // of the four blocks
    for (int i = 0; i < 4; i++) {
      const uint8_t *block = b + i * bytes;
      uint8x16_t x = vld1q_u8(block + bytes - 16);
      half[0][i] = vandq_u8(x, vdupq_n_u8(15)), half[1][i] = vshrq_n_u8(x, 4);
      for (int h = 0; h < 2; h++) {
        if (code == I8_IQ4_NL) half[h][i] = vreinterpretq_u8_s8(vqtbl1q_s8(vld1q_s8(bp_iq4_nl_codebook), half[h][i]));
        if (code == I8_MXFP4) half[h][i] = vreinterpretq_u8_s8(vaddq_s8(vqtbl1q_s8(vld1q_s8(bp_mxfp4_codebook), half[h][i]), vdupq_n_s8((int8_t)i8_offset(code))));
        if (code == I8_Q5_0 || code == I8_Q5_1) half[h][i] = vorrq_u8(half[h][i], i8_fifth(block + bytes - 20 + 2 * h));
      }
    }
    for (int i = 0; i < 4; i++) q[i] = i8_join(half[i / 2][2 * (i & 1)], half[i / 2][2 * (i & 1) + 1]);
    return;
  }
  case I8_Q8_0:
    for (int i = 0; i < 4; i++) {
      const uint8_t *from = b + 2 * (i & 1) * bytes + 2 + 16 * (i / 2);
      q[i] = i8_join(vld1q_u8(from), vld1q_u8(from + bytes));
    }
    return;
  case I8_Q2_K: case I8_Q3_K: case I8_TQ2_0:
    for (int i = 0; i < 4; i++) {
      q[i] = i8_bits(b + (code == I8_Q2_K ? 16 : code == I8_Q3_K ? 32 : 0) + 32 * part, 2 * i, 3);
      if (code == I8_Q3_K) q[i] |= i8_bits(b, 4 * part + i - 2, 4);
    }
    return;
  case I8_Q4_K: case I8_Q5_K:
    for (int i = 0; i < 4; i++) {
      q[i] = i8_bits(b + (code == I8_Q5_K ? 48 : 16) + 64 * part + 32 * (i / 2), 4 * (i & 1), 15);
      if (code == I8_Q5_K) q[i] |= i8_bits(b + 16, 4 * part + i - 4, 16);
    }
    return;
  case I8_Q6_K:
    for (int i = 0; i < 4; i++) q[i] = i8_bits(b + 64 * part + 32 * (i & 1), 4 * (i / 2), 15) | i8_bits(b + 128 + 32 * part, 2 * i - 4, 48);
    return;
  }
}
#endif
