// quantize_linear and dequantize_linear: scales and zero points repeat where their extents are 1.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/encode.glsl"

layout(constant_id = 3) const int TO = I8;
layout(constant_id = 4) const int FROM = F32;
layout(constant_id = 5) const int ZERO = ABSENT;

ARGUMENTS {
  uint64_t y, x, scale, zero_point;
  int64_t n;
  int extents[8];
  int64_t y_steps[8], x_steps[8], scale_steps[8], zero_steps[8];
};

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t from, to, of_scale, of_zero = 0l;
    WALK(extents, x_steps, i, from)
    WALK(extents, y_steps, i, to)
    WALK(extents, scale_steps, i, of_scale)
    if (ZERO != ABSENT) WALK(extents, zero_steps, i, of_zero)
    int zero = ZERO != ABSENT ? int(load_whole(zero_point + of_zero, ZERO)) : 0;
    float s = float_at(scale + of_scale);
    if (is_float(FROM)) {
      precise float q = load_float(x + from, FROM) / s;
      At8(y + to).v = uint8_t(quant_of(q, zero, TO));
    } else {
      precise float v = float(load_whole(x + from, FROM) - int64_t(zero)) * s;
      store_float(y + to, TO, v);
    }
  }
}
