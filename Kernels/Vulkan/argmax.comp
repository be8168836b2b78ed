// argmax along the last dimension: the lowest index of the largest; NaN counts as larger than everything. A group a row.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;

ARGUMENTS {
  uint64_t y, x;
  int64_t rows, count, x_step;
  int extents[8]; // of the rows
  int64_t y_steps[8], x_steps[8];
};

shared float best_value[LOCAL];
shared uint best_index[LOCAL];

bool is_before(float a, uint i, float b, uint j) {
  if (is_nan(a) != is_nan(b)) return is_nan(a);
  if (!is_nan(a) && a != b) return a > b;
  return i < j;
}

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to;
    WALK(extents, x_steps, r, from)
    WALK(extents, y_steps, r, to)
    float best = -INFINITY;
    uint at = 0xffffffffu;
    for (uint k = own; k < uint(count); k += uint(LOCAL)) {
      float v = load_float(x + uint64_t(from + int64_t(k) * x_step), FORMAT);
      if (is_before(v, k, best, at)) { best = v; at = k; }
    }
    best_value[own] = best;
    best_index[own] = at;
    for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
      barrier();
      if (own < half_of && is_before(best_value[own + half_of], best_index[own + half_of], best_value[own], best_index[own])) {
        best_value[own] = best_value[own + half_of];
        best_index[own] = best_index[own + half_of];
      }
    }
    if (own == 0u) At32(y + to).v = best_index[0];
    barrier();
  }
}
