// y = condition ? a : b with broadcasting, any plain format: elements are moved as they are.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 3) const int UNIT = 4; // bytes of an element: 1, 2, 4 or 8

ARGUMENTS {
  uint64_t y, condition, a, b;
  int64_t n;
  int extents[8];
  int64_t y_steps[8], condition_steps[8], a_steps[8], b_steps[8];
};

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t from_c, from_a, from_b, to;
    WALK(extents, condition_steps, i, from_c)
    WALK(extents, a_steps, i, from_a)
    WALK(extents, b_steps, i, from_b)
    WALK(extents, y_steps, i, to)
    uint64_t from = byte_at(condition + from_c) != 0u ? a + from_a : b + from_b;
    if (UNIT == 4) At32(y + to).v = At32(from).v;
    else if (UNIT == 8) At64(y + to).v = At64(from).v;
    else if (UNIT == 2) At16(y + to).v = At16(from).v;
    else At8(y + to).v = At8(from).v;
  }
}
