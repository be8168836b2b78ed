// Scales of a step by way of memory, where registers are too narrow for all of them; included by i8_<isa>.h, which has i8_scales and i8_spread.
#ifndef BACKPLANE_CPU_I8_FACTORS_H
#define BACKPLANE_CPU_I8_FACTORS_H

typedef struct i8_factors { float of[32]; } i8_factors;

I8_FN i8_factors i8_factors_of(int code, const uint8_t *b) {
  i8_factors f;
  i8_scales(code, b, f.of);
  return f;
}
// Scales for the lanes of register `index` of a step.
I8_FN vf i8_factor(int code, const i8_factors *f, int index) { return i8_spread(i8_lanes(code), f->of + index * LANES / i8_lanes(code)); }
I8_FN vf i8_least(int code, const i8_factors *f, int index) { return i8_spread(i8_lanes(code), f->of + 16 + index * LANES / i8_lanes(code)); }
// Minima of a block of 256 times its corrections.
I8_FN vf i8_add_minima(int code, const i8_factors *f, const float *corrections, vf acc) {
  for (int i = 0; i < i8_step(code) / i8_sub(code); i += LANES) acc = v_fma(v_load(f->of + 16 + i), v_load(corrections + i), acc);
  return acc;
}
#endif
