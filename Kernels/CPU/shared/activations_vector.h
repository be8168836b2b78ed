// Activation functions of registers of floats. Include a vector_<isa>.h first.
//
// Largest errors against double over every 61st float, in units of 2^-23 |y| beyond an absolute 2^-126: silu 1.9, gelu by tanh 2.2,
// gelu by erf 3.6.
#ifndef BACKPLANE_CPU_ACTIVATIONS_VECTOR_H
#define BACKPLANE_CPU_ACTIVATIONS_VECTOR_H
#define BP_FNV static inline __attribute__((always_inline, target(VECTOR_TARGET)))

BP_FNV vf vf_silu(vf x) { return vf_mul(x, vf_sigmoid(x)); }
BP_FNV vf vf_relu(vf x) { return vf_max(vf_of(0), x); }

// x / (1 + exp(-v)), v = sqrt(8/pi) (x + 0.044715 x^3), by exp(-|v|). A float's v would be wrong by v units of its last place.
BP_FNV vf vf_gelu_tanh(vf x) {
  vf high, low, one = vf_of(1);
  vf a = vf_min(vf_of(12), vf_abs(x)); // exp is 0 there; NaN comes through
  vf_cubic(a, -1.59576912160573071176, -0.07135481627260025, &high, &low);
  vf e = vf_exp(high);
  e = vf_fma(e, low, e);
  vf top = vf_negative(x, vf_mul(x, e), x);
  return vf_div(top, vf_add(one, e));
}

// x - x h for x >= 0, x h for x < 0, with h = erfc(|x|/sqrt 2)/2 = exp(-x^2/2) p(q), q = (|x|-5)/(|x|+5): a polynomial of degree
// 10, fitted to relative error 2^-27 on |x| <= 15. The square is exact in two floats.
BP_FNV vf vf_gelu_erf(vf x) {
  vf a = vf_min(vf_of(15), vf_abs(x)); // NaN comes through
  vf q = vf_div(vf_sub(a, vf_of(5)), vf_add(a, vf_of(5)));
  vf p = vf_of(-3.316529546282254e-05f);
  p = vf_fma(p, q, vf_of(1.5401428390759975e-04f));
  p = vf_fma(p, q, vf_of(2.0531108020804822e-04f));
  p = vf_fma(p, q, vf_of(-2.3917327634990215e-03f));
  p = vf_fma(p, q, vf_of(8.9943278580904e-03f));
  p = vf_fma(p, q, vf_of(-2.3410970345139503e-02f));
  p = vf_fma(p, q, vf_of(4.785501956939697e-02f));
  p = vf_fma(p, q, vf_of(-8.088412880897522e-02f));
  p = vf_fma(p, q, vf_of(1.1606883257627487e-01f));
  p = vf_fma(p, q, vf_of(-1.434575468301773e-01f));
  p = vf_fma(p, q, vf_of(7.69193023443222e-02f));
  vf square = vf_mul(a, a), minus_half = vf_of(-0.5f);
  vf rest = vf_fma(a, a, vf_sub(vf_of(0), square));
  vf e = vf_exp(vf_mul(square, minus_half));
  e = vf_fma(e, vf_mul(rest, minus_half), e);
  vf h = vf_mul(p, e);
  return vf_negative(x, vf_mul(x, h), vf_sub(x, vf_mul(a, h)));
}
#endif
