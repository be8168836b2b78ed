// dynamic_quantize along rows: i8 and q8_0 with a scale a row or block; u8 with one scale and zero point for all, in two launches.
//
// PASS 0: i8, q8_0, a group a row; u8: one group, the range of all into scale and zero point. PASS 1: u8, the elements.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/encode.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int TO = I8;
layout(constant_id = 4) const int FROM = F32;
layout(constant_id = 5) const int PASS = 0;

ARGUMENTS {
  uint64_t y, scale, zero_point, x, shared_scale; // scale and zero point may be absent; shared_scale: f32 scale and i32 zero point between the launches
  int64_t rows, count, y_step, x_step;
  int extents[8]; // of the rows
  int64_t y_steps[8], x_steps[8], scale_steps[8], zero_steps[8];
};

shared float low[LOCAL], high[LOCAL];

void join_range() {
  uint own = gl_LocalInvocationID.x;
  for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
    barrier();
    if (own < half_of) {
      low[own] = min(low[own], low[own + half_of]);
      high[own] = max(high[own], high[own + half_of]);
    }
  }
  barrier();
}
void quantise(uint64_t p, uint64_t q, uint k, float scale_of, int zero) {
  precise float v = load_float(p + uint64_t(int64_t(k) * x_step), FROM) / scale_of;
  At8(q + uint64_t(int64_t(k) * y_step)).v = uint8_t(quant_of(v, zero, TO));
}

void main() {
  uint own = gl_LocalInvocationID.x;
  if (TO == U8 && PASS == 0) {
    if (gl_WorkGroupID.x != 0u) return;
    float least = 0.0, most = 0.0;
    for (uint i = own; i < uint(rows * count); i += uint(LOCAL)) {
      int64_t from;
      uint r = i / uint(count);
      WALK(extents, x_steps, r, from)
      float v = load_float(x + uint64_t(from + int64_t(i - r * uint(count)) * x_step), FROM);
      if (v < least) least = v;
      if (v > most) most = v;
    }
    low[own] = least;
    high[own] = most;
    join_range();
    if (own == 0u) {
      precise float step_of = (high[0] - low[0]) / 255.0;
      if (step_of == 0.0) step_of = 1.0;
      precise float zero = roundEven(-low[0] / step_of);
      int z = zero >= 0.0 && zero <= 255.0 ? int(zero) : zero > 255.0 ? 255 : 0;
      AtFloat(shared_scale).v = step_of;
      At32(shared_scale + 4ul).v = uint(z);
      if (scale != 0ul) AtFloat(scale).v = step_of;
      if (zero_point != 0ul) At8(zero_point).v = uint8_t(z);
    }
    return;
  }
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to, of_scale, of_zero;
    WALK(extents, x_steps, r, from)
    WALK(extents, y_steps, r, to)
    WALK(extents, scale_steps, r, of_scale)
    WALK(extents, zero_steps, r, of_zero)
    uint64_t p = x + from, q = y + to;
    float s = 1.0;
    int z = 0;
    if (TO == Q8_0) {
      for (uint b = own; b < uint(count) / 32u; b += uint(LOCAL)) encode_q8_0(q + uint64_t(int64_t(b) * y_step), p, FROM, 32u * b, x_step);
    } else {
      if (TO == I8) {
        float most = 0.0;
        for (uint k = own; k < uint(count); k += uint(LOCAL)) {
          float v = abs(load_float(p + uint64_t(int64_t(k) * x_step), FROM));
          if (v > most) most = v;
        }
        low[own] = 0.0;
        high[own] = most;
        join_range();
        precise float d = high[0] / 127.0;
        s = d == 0.0 ? 1.0 : d;
        barrier();
      } else {
        s = float_at(shared_scale);
        z = int_at(shared_scale + 4ul);
      }
      for (uint k = own; k < uint(count); k += uint(LOCAL)) quantise(p, q, k, s, z);
    }
    if (own == 0u && TO != U8) {
      if (scale != 0ul) AtFloat(scale + of_scale).v = s;
      if (zero_point != 0ul) At8(zero_point + of_zero).v = uint8_t(z);
    }
  }
}
