// y = the same bits everywhere.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 3) const int UNIT = 4; // bytes of an element: 1, 2, 4 or 8

ARGUMENTS {
  uint64_t y;
  int64_t n, bits;
  int extents[8];
  int64_t y_steps[8];
};

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t to;
    WALK(extents, y_steps, i, to)
    uint64_t q = y + to;
    if (UNIT == 4) At32(q).v = uint(bits);
    else if (UNIT == 8) At64(q).v = uint64_t(bits);
    else if (UNIT == 2) At16(q).v = uint16_t(bits);
    else At8(q).v = uint8_t(bits);
  }
}
