// y = f(x) for each element: f32 f16 bf16, any stride.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int FUNCTION = W_abs;

ARGUMENTS {
  uint64_t y, x;
  int64_t n;
  float a, b;       // what the function depends on beside x
  int extents[8];
  int64_t y_steps[8], x_steps[8];
};

float unit(float x) { return is_nan(x) ? x : min(max(x, 0.0), 1.0); }

float function_of(float x) {
  precise float y = x;
  switch (FUNCTION) {
  case W_abs: return uintBitsToFloat(floatBitsToUint(x) & 0x7fffffffu);
  case W_neg: return uintBitsToFloat(floatBitsToUint(x) ^ 0x80000000u);
  case W_relu: return relu_of(x);
  case W_square: y = x * x; return y;
  case W_sqrt: y = sqrt(x); return y;
  case W_rsqrt: return rsqrt_of(x);
  case W_reciprocal: y = 1.0 / x; return y;
  case W_exp: return exp_of(x);
  case W_log: return log_of(x);
  case W_sin: return cos_sin_of(x).y;
  case W_cos: return cos_sin_of(x).x;
  case W_tanh: return tanh_of(x);
  case W_erf: return erf_of(x);
  case W_sigmoid: return sigmoid_of(x);
  case W_silu: return silu_of(x);
  case W_softplus: y = relu_of(x) + log1p_of(exp_of(-abs(x))); return is_nan(x) ? x : y; // softplus
  case W_gelu_erf: return gelu_erf_of(x);
  case W_gelu_tanh: return gelu_tanh_of(x);
  case W_scale: y = x * a + b; return y; // scale
  case W_softcap: y = a * tanh_of(x / a); return y; // softcap
  case W_clip: return is_nan(x) ? x : min(max(x, a), b); // clip
  case W_floor: return floor(x);
  case W_ceil: return ceil(x);
  case W_round: return roundEven(x);
  case W_sign: return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
  case W_elu: y = x < 0.0 ? a * expm1_of(x) : x; return y; // elu
  case W_leaky_relu: y = x < 0.0 ? a * x : x; return y; // leaky_relu
  case W_relu_squared: y = relu_of(x); y = y * y; return y;
  case W_hardsigmoid: y = unit(a * x + b); return y; // hardsigmoid
  case W_hardswish: y = x <= -3.0 ? 0.0 : x * unit(x / 6.0 + 0.5); return y; // hardswish
  case W_gelu_quick: y = x / (1.0 + exp_of(-1.702 * x)); return y; // gelu_quick
  }
  return y;
}

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t from, to;
    WALK(extents, x_steps, i, from)
    WALK(extents, y_steps, i, to)
    store_float(y + to, FORMAT, function_of(load_float(x + from, FORMAT)));
  }
}
