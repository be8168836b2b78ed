// y = x, element by element or block by block, moved as they are: what transpose, slice, concat, expand and reshape come down to.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 3) const int UNIT = 4; // bytes of an element or a block

ARGUMENTS {
  uint64_t y, x;
  int64_t n;
  int extents[8];
  int64_t y_steps[8], x_steps[8];
};

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t from, to;
    WALK(extents, x_steps, i, from)
    WALK(extents, y_steps, i, to)
    uint64_t p = x + from, q = y + to;
    if (UNIT == 4) At32(q).v = At32(p).v;
    else if (UNIT == 8) At64(q).v = At64(p).v;
    else if (UNIT % 2 == 0) for (int k = 0; k < UNIT; k += 2) At16(q + uint64_t(k)).v = At16(p + uint64_t(k)).v;
    else for (int k = 0; k < UNIT; k++) At8(q + uint64_t(k)).v = At8(p + uint64_t(k)).v;
  }
}
