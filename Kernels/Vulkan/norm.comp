// rms_norm, add_rms_norm and layer_norm, a group a row: f32 f16 bf16; weight and bias f32. Outputs may be the inputs that the spec allows.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int MEAN = 0;         // 1: layer_norm
layout(constant_id = 5) const int RESIDUAL = ABSENT; // added first, and the sum stored
layout(constant_id = 6) const int WEIGHT = ABSENT;
layout(constant_id = 7) const int BIAS = ABSENT;
layout(constant_id = 8) const int HAS_Y = 1;
layout(constant_id = 9) const int HAS_SUM = 0;

ARGUMENTS {
  uint64_t y, sum, x, residual, weight, bias;
  int64_t rows, count, y_step, sum_step, x_step, residual_step, weight_step, bias_step;
  float epsilon, offset;
  int extents[8]; // of the rows
  int64_t y_steps[8], sum_steps[8], x_steps[8], residual_steps[8];
};

shared float partial[LOCAL];

float total(float own_sum) {
  uint own = gl_LocalInvocationID.x;
  barrier();
  partial[own] = own_sum;
  for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
    barrier();
    if (own < half_of) partial[own] += partial[own + half_of];
  }
  barrier();
  return partial[0];
}

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to, to_sum = 0l, from_residual = 0l;
    WALK(extents, x_steps, r, from)
    WALK(extents, y_steps, r, to)
    if (HAS_SUM == 1) WALK(extents, sum_steps, r, to_sum)
    if (RESIDUAL != ABSENT) WALK(extents, residual_steps, r, from_residual)
#define ELEMENT(k, v)                                                                                                  \
  float v = load_float(x + uint64_t(from + int64_t(k) * x_step), FORMAT);                                              \
  if (RESIDUAL != ABSENT) v = rounded_to(v + load_float(residual + uint64_t(from_residual + int64_t(k) * residual_step), FORMAT), FORMAT);
    float middle = 0.0;
    if (MEAN == 1) {
      float s = 0.0;
      for (uint k = own; k < uint(count); k += uint(LOCAL)) { ELEMENT(k, v) s += v; }
      middle = total(s) / float(count);
    }
    precise float squares = 0.0;
    for (uint k = own; k < uint(count); k += uint(LOCAL)) {
      ELEMENT(k, v)
      precise float d = v - middle;
      squares = squares + d * d;
    }
    precise float factor = total(squares) / float(count) + epsilon;
    factor = rsqrt_of(factor);
    for (uint k = own; k < uint(count); k += uint(LOCAL)) {
      ELEMENT(k, v)
      precise float w = WEIGHT != ABSENT ? float_at(weight + uint64_t(int64_t(k) * weight_step)) : 1.0;
      if (MEAN == 0) w = w + offset;
      precise float z = (v - middle) * factor * w;
      if (BIAS != ABSENT) z = z + float_at(bias + uint64_t(int64_t(k) * bias_step));
      // The sum may lie where x or the residual was: y goes first, from the same element.
      if (HAS_Y == 1) store_float(y + uint64_t(to + int64_t(k) * y_step), FORMAT, z);
      if (HAS_SUM == 1) store_float(sum + uint64_t(to_sum + int64_t(k) * sum_step), FORMAT, v);
    }
    barrier();
  }
}
