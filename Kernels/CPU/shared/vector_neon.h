// A register of floats under one set of names: what the kernels in *_vector.h are written with. This file: 8 floats, two NEON registers.
#ifndef BACKPLANE_CPU_VECTOR_H
#define BACKPLANE_CPU_VECTOR_H
#include "vector_math_neon.h"

#define VARIANT(name) name##_neon
#define VARIANT_NAME(name) name "_neon"
#define VARIANT_NEEDS BP_CPU_NEON
#define VECTOR_TARGET "arch=armv8-a"

BP_FN_NEON vf vf_of(float x) { return bp_all_neon(x); }
BP_FN_NEON vf vf_load(const float *p) { return bp_load_neon(p); }
BP_FN_NEON vf vf_load_some(const float *p, int64_t n) { // n < LANES; the rest is 0
  vf x = {0};
  memcpy(&x, p, (size_t)n * 4);
  return x;
}
BP_FN_NEON void vf_store(float *p, vf x) { memcpy(p, &x, 32); }
BP_FN_NEON void vf_store_some(float *p, vf x, int64_t n) { memcpy(p, &x, (size_t)n * 4); }
BP_FN_NEON void vf_store_f16_some(uint16_t *p, vf x, int64_t n) {
  vh half = __builtin_convertvector(x, vh);
  memcpy(p, &half, (size_t)n * 2);
}
BP_FN_NEON void vf_store_f16(uint16_t *p, vf x) { vf_store_f16_some(p, x, LANES); }
// The first n lanes of x, the others of y.
BP_FN_NEON vf vf_first(vf x, vf y, int64_t n) {
  return bp_choose_neon((vi){0, 1, 2, 3, 4, 5, 6, 7} < (vi){(int)n, (int)n, (int)n, (int)n, (int)n, (int)n, (int)n, (int)n}, x, y);
}
// The first n floats at p, LANES / 2 at most, each twice; neighbours changed over.
BP_FN_NEON vf vf_twice(const float *p, int64_t n) {
  vf x = vf_load_some(p, n);
  return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3);
}
BP_FN_NEON vf vf_swap(vf x) { return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6); }
BP_FN_NEON vf vf_add(vf a, vf b) { return a + b; }
BP_FN_NEON vf vf_sub(vf a, vf b) { return a - b; }
BP_FN_NEON vf vf_mul(vf a, vf b) { return a * b; }
BP_FN_NEON vf vf_div(vf a, vf b) { return a / b; }
BP_FN_NEON vf vf_max(vf a, vf b) { return bp_max_neon(a, b); } // b where either is NaN
BP_FN_NEON vf vf_min(vf a, vf b) { return bp_min_neon(a, b); }
BP_FN_NEON vf vf_fma(vf a, vf b, vf c) { return bp_fma_neon(a, b, c); } // a b + c
BP_FN_NEON vf vf_abs(vf a) { return bp_abs_neon(a); }
BP_FN_NEON vf vf_negative(vf x, vf yes, vf no) { return bp_choose_neon(x < 0, yes, no); } // by x < 0
BP_FN_NEON float vf_sum(vf a) { return bp_sum_neon(a); }
BP_FN_NEON float vf_largest(vf a) {
  float most = a[0];
  for (int i = 1; i < LANES; i++) most = most > a[i] ? most : a[i];
  return most;
}
BP_FN_NEON vf vf_exp(vf x) { return bp_exp_neon(x); }
BP_FN_NEON vf vf_tanh(vf x) { return bp_tanh_neon(x); }
BP_FN_NEON vf vf_erf(vf x) { return bp_erf_neon(x); }
BP_FN_NEON vf vf_sigmoid(vf x) { return bp_sigmoid_neon(x); }

// a + b x^2 times x in double, as the sum of two floats: an argument of exp must be known better than a float is.
BP_FN_NEON void vf_cubic(vf x, double a, double b, vf *high, vf *low) {
  typedef double vd __attribute__((vector_size(64)));
  vd d = __builtin_convertvector(x, vd), y = d * (d * d * b + a);
  *high = __builtin_convertvector(y, vf);
  *low = __builtin_convertvector(y - __builtin_convertvector(*high, vd), vf);
}
#endif
