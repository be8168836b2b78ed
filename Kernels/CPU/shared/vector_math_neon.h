// Eight floats in two Advanced SIMD registers, and exp, tanh, erf and sigmoid of them, in the compiler's vector types.
//
// Polynomials and errors are those of vector_math_avx2.h: the same operations in the same order.
#ifndef BACKPLANE_CPU_VECTOR_MATH_NEON_H
#define BACKPLANE_CPU_VECTOR_MATH_NEON_H
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define BP_FN_NEON static inline __attribute__((always_inline))
enum { LANES = 8 };
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));
typedef uint16_t vu16 __attribute__((vector_size(16)));
typedef int8_t vi8 __attribute__((vector_size(8)));
typedef _Float16 vh __attribute__((vector_size(16)));

BP_FN_NEON vf bp_all_neon(float x) { return (vf){x, x, x, x, x, x, x, x}; }
// yes where the mask's lane is all ones, no where it is 0.
BP_FN_NEON vf bp_choose_neon(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
BP_FN_NEON vf bp_fma_neon(vf a, vf b, vf c) { return __builtin_elementwise_fma(a, b, c); }
BP_FN_NEON vf bp_max_neon(vf a, vf b) { return bp_choose_neon(a > b, a, b); } // b where either is NaN
BP_FN_NEON vf bp_min_neon(vf a, vf b) { return bp_choose_neon(a < b, a, b); }
BP_FN_NEON vf bp_abs_neon(vf a) { return (vf)((vi)a & 0x7fffffff); }
BP_FN_NEON vf bp_sign_neon(vf a) { return (vf)((vu)a & 0x80000000u); }
BP_FN_NEON vf bp_or_neon(vf a, vf b) { return (vf)((vi)a | (vi)b); }

BP_FN_NEON vf bp_exp_neon(vf x) {
  vf c = bp_max_neon(bp_all_neon(-150.0f), bp_min_neon(bp_all_neon(150.0f), x)); // NaN comes through
  vf n = __builtin_elementwise_roundeven(c * 1.44269504088896341f);
  vf r = bp_fma_neon(-n, bp_all_neon(0.693145751953125f), c);
  r = bp_fma_neon(-n, bp_all_neon(1.42860682030941723212e-6f), r);
  vf p = bp_all_neon(1.98756915e-4f);
  p = bp_fma_neon(p, r, bp_all_neon(1.39819995e-3f));
  p = bp_fma_neon(p, r, bp_all_neon(8.33345191e-3f));
  p = bp_fma_neon(p, r, bp_all_neon(4.16657959e-2f));
  p = bp_fma_neon(p, r, bp_all_neon(1.66666655e-1f));
  p = bp_fma_neon(p, r, bp_all_neon(0.5f));
  p = bp_fma_neon(p * r, r, r);
  p = p + 1.0f;
  vi whole = __builtin_convertvector(bp_choose_neon(n == n, n, bp_all_neon(0)), vi), half = whole >> 1, rest = whole - half;
  return p * (vf)((half + 127) << 23) * (vf)((rest + 127) << 23);
}

BP_FN_NEON vf bp_sigmoid_neon(vf x) {
  vf one = bp_all_neon(1.0f), e = bp_exp_neon(bp_or_neon(x, bp_all_neon(-0.0f)));
  return bp_choose_neon(x >= 0, one, e) / (one + e);
}

BP_FN_NEON vf bp_tanh_neon(vf x) {
  vf sign = bp_sign_neon(x), a = bp_abs_neon(x), s = x * x, one = bp_all_neon(1.0f);
  vf p = bp_all_neon(-5.70498872745e-3f);
  p = bp_fma_neon(p, s, bp_all_neon(2.06390887954e-2f));
  p = bp_fma_neon(p, s, bp_all_neon(-5.37397155531e-2f));
  p = bp_fma_neon(p, s, bp_all_neon(1.33314422036e-1f));
  p = bp_fma_neon(p, s, bp_all_neon(-3.33332819422e-1f));
  vf small = bp_fma_neon(p * s, x, x);
  vf large = bp_or_neon(one - 2.0f / (bp_exp_neon(a + a) + one), sign);
  return bp_choose_neon(a < 0.625f, small, large);
}

BP_FN_NEON vf bp_erf_neon(vf x) {
  vf sign = bp_sign_neon(x), a = bp_abs_neon(x), s = x * x;
  vf t = bp_min_neon(bp_all_neon(4.0f), a), ts = t * t;
  vf q = bp_fma_neon(bp_all_neon(-1.72853470e-5f), t, bp_all_neon(3.83197126e-4f));
  vf u = bp_fma_neon(bp_all_neon(-3.88396438e-3f), t, bp_all_neon(2.42546219e-2f));
  q = bp_fma_neon(q, ts, u);
  q = bp_fma_neon(q, t, bp_all_neon(-1.06777877e-1f));
  q = bp_fma_neon(q, t, bp_all_neon(-6.34846687e-1f));
  q = bp_fma_neon(q, t, bp_all_neon(-1.28717512e-1f));
  q = bp_fma_neon(q, t, -t);
  vf large = bp_or_neon(1.0f - bp_exp_neon(q), sign);
  vf p = bp_all_neon(-5.96761703e-4f);
  p = bp_fma_neon(p, s, bp_all_neon(4.99119423e-3f));
  p = bp_fma_neon(p, s, bp_all_neon(-2.67681349e-2f));
  p = bp_fma_neon(p, s, bp_all_neon(1.12819925e-1f));
  p = bp_fma_neon(p, s, bp_all_neon(-3.76125336e-1f));
  p = bp_fma_neon(p, s, bp_all_neon(1.28379166e-1f));
  return bp_choose_neon(a > 0.927734375f, large, bp_fma_neon(p, x, x));
}

BP_FN_NEON vf bp_load_neon(const void *p) { vf x; memcpy(&x, p, 32); return x; }
BP_FN_NEON vf bp_load_f16_neon(const void *p) { vh h; memcpy(&h, p, 16); return __builtin_convertvector(h, vf); }
BP_FN_NEON vf bp_load_bf16_neon(const void *p) { vu16 h; memcpy(&h, p, 16); return (vf)(__builtin_convertvector(h, vu) << 16); }
BP_FN_NEON vu16 bp_f32_to_bf16_neon(vf x) { // ties to even; a NaN stays a NaN
  vu b = (vu)x, rounded = b + ((b >> 16) & 1) + 0x7fff;
  vi number = x == x;
  return __builtin_convertvector((((vu)number & rounded) | (~(vu)number & (b | 0x400000))) >> 16, vu16);
}
BP_FN_NEON float bp_sum_neon(vf x) {
  float32x4_t a, b;
  memcpy(&a, &x, 16), memcpy(&b, (const char *)&x + 16, 16);
  return vaddvq_f32(vaddq_f32(a, b));
}
#endif
