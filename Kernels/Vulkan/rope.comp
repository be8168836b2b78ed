// rotary_embedding and rms_norm_rope, a group HEADS heads of a token, which turn by the same angles: f32 f16 bf16; y may be x.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int NORM = 0;
layout(constant_id = 5) const int WEIGHT = ABSENT;
layout(constant_id = 6) const int POSITION = I32;
layout(constant_id = 7) const int HEADS = 1;
layout(constant_id = 8) const int WIDE = 0; // 1: neighbours in memory, and the device loads 64 bits from any address, as processors do

ARGUMENTS {
  uint64_t y, x, weight, positions, frequencies;
  int64_t rows, count, heads, tokens, pairs, y_step, x_step, weight_step, position_step, frequency_step;
  float epsilon, offset, scale;
  int interleaved;
  int extents[8]; // of the rows
  int64_t y_steps[8], x_steps[8];
};

shared float partial[LOCAL];

vec2 pair_at(uint64_t p) { return uintBitsToFloat(unpackUint2x32(At64(p).v)); }

float weighted(uint64_t p, uint k, float factor) {
  precise float v = load_float(p + uint64_t(int64_t(k) * x_step), FORMAT);
  if (NORM == 0) return v;
  precise float w = (WEIGHT != ABSENT ? float_at(weight + uint64_t(int64_t(k) * weight_step)) : 1.0) + offset;
  v = v * factor * w;
  return v;
}

void main() {
  uint own = gl_LocalInvocationID.x;
  uint tiles = (uint(heads) + uint(HEADS) - 1u) / uint(HEADS);
  for (uint tile = gl_WorkGroupID.x; tile < uint(rows / max(heads, 1l)) * tiles; tile += gl_NumWorkGroups.x) {
    uint first = tile / tiles * uint(heads) + tile % tiles * uint(HEADS), head_count = min(uint(HEADS), uint(heads) - tile % tiles * uint(HEADS));
    uint64_t p[HEADS], q[HEADS];
    float factor[HEADS];
    [[unroll]] for (int h = 0; h < HEADS; h++) {
      int64_t from, to;
      uint r = first + min(uint(h), head_count - 1u);
      WALK(extents, x_steps, r, from)
      WALK(extents, y_steps, r, to)
      p[h] = x + from;
      q[h] = y + to;
      factor[h] = 1.0;
      if (NORM == 1) {
        precise float squares = 0.0;
        for (uint k = own; k < uint(count); k += uint(LOCAL)) {
          float v = load_float(p[h] + uint64_t(int64_t(k) * x_step), FORMAT);
          squares = squares + v * v;
        }
        partial[own] = squares;
        for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
          barrier();
          if (own < half_of) partial[own] += partial[own + half_of];
        }
        barrier();
        precise float middle = partial[0] / float(count) + epsilon;
        factor[h] = rsqrt_of(middle);
        barrier();
      }
    }
    int64_t token = int64_t(first) / heads % tokens;
    precise float position = float(load_index(positions + uint64_t(token * position_step), POSITION));
    if (WIDE == 1 && interleaved == 0 && FORMAT == F32 && (pairs & 1l) == 0l) { // two neighbours at a time
      for (uint i = 2u * own; i < uint(pairs); i += 2u * uint(LOCAL)) {
        vec2 frequency = pair_at(frequencies + uint64_t(i) * 4ul);
        precise vec2 angle = position * frequency;
        vec2 one = cos_sin_of(angle.x), two = cos_sin_of(angle.y), c = vec2(one.x, two.x), s = vec2(one.y, two.y);
        vec2 w1 = vec2(1.0), w2 = vec2(1.0);
        if (NORM == 1) {
          if (WEIGHT != ABSENT) { w1 = pair_at(weight + uint64_t(i) * 4ul); w2 = pair_at(weight + uint64_t(i + uint(pairs)) * 4ul); }
          w1 += offset;
          w2 += offset;
        }
        [[unroll]] for (int h = 0; h < HEADS; h++) if (uint(h) < head_count) {
          precise vec2 x1 = pair_at(p[h] + uint64_t(i) * 4ul), x2 = pair_at(p[h] + uint64_t(i + uint(pairs)) * 4ul);
          if (NORM == 1) { x1 = x1 * factor[h] * w1; x2 = x2 * factor[h] * w2; }
          precise vec2 y1 = scale * (x1 * c - x2 * s), y2 = scale * (x1 * s + x2 * c);
          At64(q[h] + uint64_t(i) * 4ul).v = packUint2x32(floatBitsToUint(y1));
          At64(q[h] + uint64_t(i + uint(pairs)) * 4ul).v = packUint2x32(floatBitsToUint(y2));
        }
      }
    } else {
      for (uint i = own; i < uint(pairs); i += uint(LOCAL)) {
        uint a = interleaved != 0 ? 2u * i : i, b = interleaved != 0 ? a + 1u : a + uint(pairs);
        precise float angle = position * float_at(frequencies + uint64_t(int64_t(i) * frequency_step));
        vec2 turn = cos_sin_of(angle);
        [[unroll]] for (int h = 0; h < HEADS; h++) if (uint(h) < head_count) {
          precise float x1 = weighted(p[h], a, factor[h]), x2 = weighted(p[h], b, factor[h]), y1 = scale * (x1 * turn.x - x2 * turn.y), y2 = scale * (x1 * turn.y + x2 * turn.x);
          store_float(q[h] + uint64_t(int64_t(a) * y_step), FORMAT, y1);
          store_float(q[h] + uint64_t(int64_t(b) * y_step), FORMAT, y2);
        }
      }
    }
    for (uint k = 2u * uint(pairs) + own; k < uint(count); k += uint(LOCAL))
      [[unroll]] for (int h = 0; h < HEADS; h++) if (uint(h) < head_count) store_float(q[h] + uint64_t(int64_t(k) * y_step), FORMAT, weighted(p[h], k, factor[h]));
  }
}
