// topk along the last dimension, a group a row: in each of k rounds the group finds what comes next after the last one taken. f32 f16 bf16.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 0) const int LOCAL = 1;
#include "shared/order.glsl"
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int HAS_VALUES = 1;
layout(constant_id = 5) const int HAS_INDICES = 1;

ARGUMENTS {
  uint64_t values, indices, x;
  int64_t rows, count, k_count, value_step, index_step, x_step;
  int largest;
  int extents[8]; // of the rows
  int64_t value_steps[8], index_steps[8], x_steps[8];
};

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to_values = 0l, to_indices = 0l;
    WALK(extents, x_steps, r, from)
    if (HAS_VALUES == 1) WALK(extents, value_steps, r, to_values)
    if (HAS_INDICES == 1) WALK(extents, index_steps, r, to_indices)
    uvec2 taken = BEFORE_ALL;
    for (uint k = 0u; k < uint(k_count); k++) {
      uvec2 best = BEHIND_ALL;
      for (uint j = own; j < uint(count); j += uint(LOCAL)) {
        uvec2 next = uvec2(order_of(load_float(x + uint64_t(from + int64_t(j) * x_step), FORMAT), largest != 0), j);
        if (is_before(taken, next) && is_before(next, best)) best = next;
      }
      taken = first_of_all(best);
      if (own == 0u) {
        if (HAS_VALUES == 1) {
          uint64_t p = x + uint64_t(from + int64_t(taken.y) * x_step), q = values + uint64_t(to_values + int64_t(k) * value_step);
          if (FORMAT == F32) At32(q).v = At32(p).v;
          else At16(q).v = At16(p).v;
        }
        if (HAS_INDICES == 1) At32(indices + uint64_t(to_indices + int64_t(k) * index_step)).v = taken.y;
      }
    }
  }
}
