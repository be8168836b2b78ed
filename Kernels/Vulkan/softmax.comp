// softmax(scale x + mask) along the last dimension, a group a row: f32 f16 bf16; y may be x.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int MASK = ABSENT;

ARGUMENTS {
  uint64_t y, x, mask;
  int64_t rows, count, y_step, x_step, mask_step;
  float scale;
  int extents[8]; // of the rows
  int64_t y_steps[8], x_steps[8], mask_steps[8];
};

shared float partial[LOCAL];

float score(uint64_t p, uint64_t m, uint k) {
  precise float z = scale * load_float(p + uint64_t(int64_t(k) * x_step), FORMAT);
  if (MASK != ABSENT) z = z + float_at(m + uint64_t(int64_t(k) * mask_step));
  return z;
}
float larger(float a, float b) { return is_nan(a) || a > b ? a : b; }

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to, of_mask = 0l;
    WALK(extents, x_steps, r, from)
    WALK(extents, y_steps, r, to)
    if (MASK != ABSENT) WALK(extents, mask_steps, r, of_mask)
    uint64_t p = x + from, m = mask + of_mask;
    float top = -INFINITY;
    for (uint k = own; k < uint(count); k += uint(LOCAL)) top = larger(score(p, m, k), top);
    partial[own] = top;
    for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
      barrier();
      if (own < half_of) partial[own] = larger(partial[own], partial[own + half_of]);
    }
    barrier();
    top = partial[0];
    barrier();
    float sum = 0.0;
    if (top != -INFINITY) for (uint k = own; k < uint(count); k += uint(LOCAL)) sum += exp_of(score(p, m, k) - top);
    partial[own] = sum;
    for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
      barrier();
      if (own < half_of) partial[own] += partial[own + half_of];
    }
    barrier();
    sum = partial[0];
    for (uint k = own; k < uint(count); k += uint(LOCAL)) {
      precise float w = top == -INFINITY ? 0.0 : exp_of(score(p, m, k) - top) / sum;
      store_float(y + uint64_t(to + int64_t(k) * y_step), FORMAT, w);
    }
    barrier();
  }
}
