// Block formats in NEON registers: 32 elements at a time, unscaled, with the scales beside them.
//
// Every unit becomes two registers of 16 signed bytes first, then floats. `code` is a constant at every call, so that the switches fold.
#ifndef BACKPLANE_CPU_BLOCKS_H
#define BACKPLANE_CPU_BLOCKS_H
#include "lanes_neon.h"

// What four bits mean.
typedef int8x16_t vtable;
V_FN vtable v_table(int code) {
  static const int8_t less_8[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
  return vld1q_s8(code == BP_CODE_IQ4_NL ? bp_iq4_nl_codebook : code == BP_CODE_MXFP4 ? bp_mxfp4_codebook : less_8);
}

V_FN vf v_half(const uint8_t *p) { return v_set(bp_f16_at(p)); }

// Bit i of 16 bits as 16 in byte i.
V_FN uint8x16_t v_fifth_bits(const uint8_t *bits) {
  static const uint8_t each[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t x = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
  return vandq_u8(vtstq_u8(x, vld1q_u8(each)), vdupq_n_u8(16));
}

V_FN void v_widen(int8x16_t x, vf *to) {
  vi8 low = (vi8)vget_low_s8(x), high = (vi8)vget_high_s8(x);
  to[0] = __builtin_convertvector(low, vf), to[1] = __builtin_convertvector(high, vf);
}

// Unscaled elements 32 * unit … of a block; unit is 0 for formats of 32.
V_FN void v_unit(int code, const uint8_t *b, int unit, vtable table, vf q[4]) {
  const uint8x16_t nibble = vdupq_n_u8(15);
  uint8x16_t x[2];
  int8x16_t s[2];
  switch (code) {
  case BP_CODE_Q4_0: case BP_CODE_Q4_1: case BP_CODE_IQ4_NL: case BP_CODE_MXFP4: case BP_CODE_Q4_Z: case BP_CODE_NF4: case BP_CODE_Q5_0: case BP_CODE_Q5_1: {
    const uint8_t *at = b + bp_code_bytes(code) - 20; // of the fifth bits
    int fifth = code == BP_CODE_Q5_0 || code == BP_CODE_Q5_1;
    uint8x16_t h = vld1q_u8(b + bp_code_bytes(code) - 16);
    x[0] = vandq_u8(h, nibble), x[1] = vshrq_n_u8(h, 4);
    if (code == BP_CODE_NF4) {
      float to[32];
      for (int i = 0; i < 32; i++) to[i] = bp_nf4_codebook[x[i / 16][i % 16]];
      for (int i = 0; i < 4; i++) q[i] = v_load(to + LANES * i);
      return;
    }
    for (int i = 0; i < 2; i++) {
      if (fifth) x[i] = vorrq_u8(x[i], v_fifth_bits(at + 2 * i));
      s[i] = vreinterpretq_s8_u8(x[i]);
      if (code == BP_CODE_Q5_0) s[i] = vsubq_s8(s[i], vdupq_n_s8(16));
      if (!fifth && code != BP_CODE_Q4_1 && code != BP_CODE_Q4_Z) s[i] = vqtbl1q_s8(table, x[i]);
    }
    break;
  }
  case BP_CODE_Q8_0:
    for (int i = 0; i < 2; i++) s[i] = vld1q_s8((const int8_t *)b + 2 + 16 * i);
    break;
  case BP_CODE_Q4_K: case BP_CODE_Q5_K:
    for (int i = 0; i < 2; i++) {
      uint8x16_t h = vld1q_u8(b + (code == BP_CODE_Q5_K ? 48 : 16) + 32 * (unit / 2) + 16 * i);
      x[i] = unit & 1 ? vshrq_n_u8(h, 4) : vandq_u8(h, nibble);
      if (code == BP_CODE_Q5_K) x[i] = vorrq_u8(x[i], vandq_u8(vtstq_u8(vld1q_u8(b + 16 + 16 * i), vdupq_n_u8((uint8_t)(1 << unit))), vdupq_n_u8(16)));
      s[i] = vreinterpretq_s8_u8(x[i]);
    }
    break;
  default: { // q6_K
    int half = unit / 4, quarter = unit % 4;
    for (int i = 0; i < 2; i++) {
      uint8x16_t low = vld1q_u8(b + 64 * half + 32 * (quarter & 1) + 16 * i), high = vld1q_u8(b + 128 + 32 * half + 16 * i);
      low = quarter & 2 ? vshrq_n_u8(low, 4) : vandq_u8(low, nibble);
      high = vandq_u8(vshlq_u8(high, vdupq_n_s8((int8_t)(4 - 2 * quarter))), vdupq_n_u8(48));
      s[i] = vsubq_s8(vreinterpretq_s8_u8(vorrq_u8(low, high)), vdupq_n_s8(32));
    }
  }
  }
  v_widen(s[0], q), v_widen(s[1], q + 2);
  if (code == BP_CODE_Q4_Z)
    for (int i = 0; i < 4; i++) q[i] = v_sub(q[i], v_set((float)bp_z_at(b)));
}

// Scale of a block of 32, in every lane.
V_FN vf v_scale(int code, const uint8_t *b) {
  return code == BP_CODE_MXFP4 ? v_set(bp_half_e8m0(b[0])) : bp_code_has_f32_scale(code) ? v_set(bp_f32_at(b)) : v_half(b);
}

// Scales of a block of 256: q6_K has sixteen; q4_K and q5_K have eight, then eight minima, negated.
V_FN void v_scales(int code, const uint8_t *b, float scales[16]) {
  vf wide[2];
  if (code == BP_CODE_Q6_K) {
    v_widen(vld1q_s8((const int8_t *)b + 192), wide);
    for (int i = 0; i < 2; i++) v_store(scales + 8 * i, v_mul(wide[i], v_half(b + 208)));
    return;
  }
  int8_t small[16];
  for (int j = 0; j < 8; j++) {
    int scale, minimum;
    bp_k_scale(b + 4, j, &scale, &minimum);
    small[j] = (int8_t)scale, small[8 + j] = (int8_t)minimum;
  }
  v_widen(vld1q_s8(small), wide);
  v_store(scales, v_mul(wide[0], v_half(b)));
  v_store(scales + 8, v_mul(wide[1], -v_half(b + 2)));
}
#endif
