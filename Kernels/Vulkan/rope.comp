// rotary_embedding and rms_norm_rope, a group a head of a token: f32 f16 bf16; y may be x.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int NORM = 0;
layout(constant_id = 5) const int WEIGHT = ABSENT;
layout(constant_id = 6) const int POSITION = I32;

ARGUMENTS {
  uint64_t y, x, weight, positions, frequencies;
  int64_t rows, count, heads, tokens, pairs, y_step, x_step, weight_step, position_step, frequency_step;
  float epsilon, offset, scale;
  int interleaved;
  int extents[8]; // of the rows
  int64_t y_steps[8], x_steps[8];
};

shared float partial[LOCAL];

float weighted(uint64_t p, uint k, float factor) {
  precise float v = load_float(p + uint64_t(int64_t(k) * x_step), FORMAT);
  if (NORM == 0) return v;
  precise float w = (WEIGHT != ABSENT ? float_at(weight + uint64_t(int64_t(k) * weight_step)) : 1.0) + offset;
  v = v * factor * w;
  return v;
}

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to;
    WALK(extents, x_steps, r, from)
    WALK(extents, y_steps, r, to)
    uint64_t p = x + from, q = y + to;
    float factor = 1.0;
    if (NORM == 1) {
      precise float squares = 0.0;
      for (uint k = own; k < uint(count); k += uint(LOCAL)) {
        float v = load_float(p + uint64_t(int64_t(k) * x_step), FORMAT);
        squares = squares + v * v;
      }
      partial[own] = squares;
      for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
        barrier();
        if (own < half_of) partial[own] += partial[own + half_of];
      }
      barrier();
      precise float middle = partial[0] / float(count) + epsilon;
      factor = rsqrt_of(middle);
      barrier();
    }
    int64_t token = int64_t(r) / heads % tokens;
    precise float position = float(load_index(positions + uint64_t(token * position_step), POSITION));
    for (uint i = own; i < uint(pairs); i += uint(LOCAL)) {
      uint a = interleaved != 0 ? 2u * i : i, b = interleaved != 0 ? a + 1u : a + uint(pairs);
      precise float angle = position * float_at(frequencies + uint64_t(int64_t(i) * frequency_step));
      vec2 turn = cos_sin_of(angle);
      precise float x1 = weighted(p, a, factor), x2 = weighted(p, b, factor), y1 = scale * (x1 * turn.x - x2 * turn.y), y2 = scale * (x1 * turn.y + x2 * turn.x);
      store_float(q + uint64_t(int64_t(a) * y_step), FORMAT, y1);
      store_float(q + uint64_t(int64_t(b) * y_step), FORMAT, y2);
    }
    for (uint k = 2u * uint(pairs) + own; k < uint(count); k += uint(LOCAL)) store_float(q + uint64_t(int64_t(k) * y_step), FORMAT, weighted(p, k, factor));
  }
}
