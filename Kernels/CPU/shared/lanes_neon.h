// Eight floats as one value: the NEON meaning of the names that the vector bodies (dot.h, tile.h, attention_vector.h …) are written in.
#ifndef BACKPLANE_CPU_LANES_H
#define BACKPLANE_CPU_LANES_H
#include "decode.h"
#include "vector_math_neon.h"

#define V_FN BP_FN_NEON
#define V_NAME(name) name##_neon
enum { V_REGISTERS = 16 };

V_FN vf v_zero(void) { return bp_all_neon(0); }
V_FN vf v_set(float x) { return bp_all_neon(x); }
V_FN vf v_load(const float *p) { return bp_load_neon(p); }
V_FN void v_store(float *p, vf x) { memcpy(p, &x, 32); }
V_FN vf v_add(vf a, vf b) { return a + b; }
V_FN vf v_sub(vf a, vf b) { return a - b; }
V_FN vf v_mul(vf a, vf b) { return a * b; }
V_FN vf v_div(vf a, vf b) { return a / b; }
V_FN vf v_max(vf a, vf b) { return bp_max_neon(a, b); } // b when either is NaN
V_FN vf v_fma(vf a, vf b, vf c) { return bp_fma_neon(a, b, c); }
V_FN vf v_exp(vf x) { return bp_exp_neon(x); }
V_FN vf v_tanh(vf x) { return bp_tanh_neon(x); }
V_FN vf v_erf(vf x) { return bp_erf_neon(x); }
V_FN vf v_sigmoid(vf x) { return bp_sigmoid_neon(x); }
V_FN float v_sum(vf x) { return bp_sum_neon(x); }
// The sums of four vectors.
V_FN void v_store_sums(float *p, vf a, vf b, vf c, vf d) {
  p[0] = v_sum(a), p[1] = v_sum(b), p[2] = v_sum(c), p[3] = v_sum(d);
}

// LANES values of a float format.
V_FN vf v_load_as(int code, const void *p) {
  return code == BP_CODE_F32 ? bp_load_neon(p) : code == BP_CODE_F16 ? bp_load_f16_neon(p) : bp_load_bf16_neon(p);
}
// The first n lanes (all of them when n >= LANES) of a float format; the others are 0 and are not read or written.
V_FN vf v_load_some(int code, const void *p, int64_t n) {
  if (n >= LANES) return v_load_as(code, p);
  _Alignas(32) char some[32] = {0};
  if (n > 0) memcpy(some, p, (size_t)n * (code == BP_CODE_F32 ? 4 : 2));
  return v_load_as(code, some);
}
V_FN void v_store_some(int code, void *p, int64_t n, vf x) {
  size_t count = n < 0 ? 0 : n < LANES ? (size_t)n : LANES;
  vh half;
  vu16 brain;
  switch (code) {
  case BP_CODE_F32: memcpy(p, &x, count * 4); return;
  case BP_CODE_F16: half = __builtin_convertvector(x, vh), memcpy(p, &half, count * 2); return;
  default: brain = bp_f32_to_bf16_neon(x), memcpy(p, &brain, count * 2);
  }
}

// Transposes 8 rows of 8 floats, `from_row` floats apart, to rows that are `to_row` floats apart.
V_FN void v_transpose(const float *from, int64_t from_row, float *to, int64_t to_row) {
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 8; j += 4) {
      float32x4_t r[4];
      for (int k = 0; k < 4; k++) r[k] = vld1q_f32(from + (i + k) * from_row + j);
      float64x2_t a = (float64x2_t)vtrn1q_f32(r[0], r[1]), b = (float64x2_t)vtrn2q_f32(r[0], r[1]);
      float64x2_t c = (float64x2_t)vtrn1q_f32(r[2], r[3]), d = (float64x2_t)vtrn2q_f32(r[2], r[3]);
      vst1q_f32(to + j * to_row + i, (float32x4_t)vtrn1q_f64(a, c));
      vst1q_f32(to + (j + 1) * to_row + i, (float32x4_t)vtrn1q_f64(b, d));
      vst1q_f32(to + (j + 2) * to_row + i, (float32x4_t)vtrn2q_f64(a, c));
      vst1q_f32(to + (j + 3) * to_row + i, (float32x4_t)vtrn2q_f64(b, d));
    }
}
#endif
