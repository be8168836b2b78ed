// Sums, means, norms, products and extrema over any dimensions: a group an element of y. f32 f16 bf16.
//
// Each item sums every LOCAL-th element, then the group's sums are joined as a tree.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int FUNCTION = W_reduce_sum;

ARGUMENTS {
  uint64_t y, x;
  int64_t n, count; // results, and elements of each
  int extents[8];
  int64_t y_steps[8], x_steps[8];
  int inner_extents[8];
  int64_t inner_steps[8];
};

shared float partial[LOCAL];

float start() { return FUNCTION == W_reduce_prod ? 1.0 : FUNCTION == W_reduce_max ? -INFINITY : FUNCTION == W_reduce_min ? INFINITY : 0.0; }
float join(float a, float b) {
  precise float y;
  if (FUNCTION == W_reduce_max) return is_nan(a) || a > b ? a : b;
  if (FUNCTION == W_reduce_min) return is_nan(a) || a < b ? a : b;
  if (FUNCTION == W_reduce_prod) y = a * b;
  else y = a + b;
  return y;
}

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint i = gl_WorkGroupID.x; i < uint(n); i += gl_NumWorkGroups.x) {
    int64_t from, to;
    WALK(extents, x_steps, i, from)
    WALK(extents, y_steps, i, to)
    float sum = start();
    for (uint k = own; k < uint(count); k += uint(LOCAL)) {
      int64_t at;
      WALK(inner_extents, inner_steps, k, at)
      float v = load_float(x + from + at, FORMAT);
      sum = join(sum, FUNCTION == W_reduce_l2 ? v * v : v);
    }
    partial[own] = sum;
    for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
      barrier();
      if (own < half_of) partial[own] = join(partial[own], partial[own + half_of]);
    }
    if (own == 0u) {
      precise float total = partial[0];
      if (FUNCTION == W_reduce_mean) total = total / float(count);
      if (FUNCTION == W_reduce_l2) total = sqrt(total);
      store_float(y + to, FORMAT, total);
    }
    barrier();
  }
}
