// softmax(scale x + mask) along the last dimension, a group a row: f32 f16 bf16; y may be x.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int MASK = ABSENT;
layout(constant_id = 5) const int PAIRS = 0; // 0, or the pairs of elements that an item keeps in registers: f32, rows of an even length at most 2 LOCAL PAIRS, loads of 64 bits from any address

ARGUMENTS {
  uint64_t y, x, mask;
  int64_t rows, count, y_step, x_step, mask_step;
  float scale;
  int extents[8]; // of the rows
  int64_t y_steps[8], x_steps[8], mask_steps[8];
};

shared float partial[LOCAL];

float score(uint64_t p, uint64_t m, uint k) {
  precise float z = scale * load_float(p + uint64_t(int64_t(k) * x_step), FORMAT);
  if (MASK != ABSENT) z = z + float_at(m + uint64_t(int64_t(k) * mask_step));
  return z;
}
layout(buffer_reference, std430, buffer_reference_align = 8) buffer AtPair { uint64_t v; };

float larger(float a, float b) { return is_nan(a) || a > b ? a : b; }

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, to, of_mask = 0l;
    WALK(extents, x_steps, r, from)
    WALK(extents, y_steps, r, to)
    if (MASK != ABSENT) WALK(extents, mask_steps, r, of_mask)
    uint64_t p = x + from, m = mask + of_mask;
    float top = -INFINITY;
    if (PAIRS > 0) {
      const int KEPT = PAIRS > 0 ? PAIRS : 1;
      vec2 v[KEPT];
      uint last = uint(count) / 2u - 1u;
      [[unroll]] for (int i = 0; i < KEPT; i++) { // beyond the end: the last pair again, which changes no maximum
        uint at = min(uint(i * LOCAL) + own, last);
        precise vec2 z = scale * uintBitsToFloat(unpackUint2x32(AtPair(p + uint64_t(at) * 8ul).v));
        if (MASK != ABSENT) z = z + vec2(float_at(m + uint64_t(int64_t(2u * at) * mask_step)), float_at(m + uint64_t(int64_t(2u * at + 1u) * mask_step)));
        v[i] = z;
        top = larger(z.x, top);
        top = larger(z.y, top);
      }
      partial[own] = top;
      barrier();
      for (int i = 0; i < LOCAL; i++) top = larger(partial[i], top);
      barrier();
      float sum = 0.0;
      [[unroll]] for (int i = 0; i < KEPT; i++) {
        v[i] = top == -INFINITY ? vec2(0.0) : vec2(decay_of(v[i].x - top), decay_of(v[i].y - top));
        if (uint(i * LOCAL) + own <= last) sum += v[i].x + v[i].y;
      }
      partial[own] = sum;
      barrier();
      float all = 0.0;
      for (int i = 0; i < LOCAL; i++) all += partial[i];
      [[unroll]] for (int i = 0; i < KEPT; i++) {
        uint at = uint(i * LOCAL) + own;
        precise vec2 w = top == -INFINITY ? vec2(0.0) : v[i] / all;
        if (at <= last) AtPair(y + to + uint64_t(at) * 8ul).v = packUint2x32(floatBitsToUint(w));
      }
      barrier();
      continue;
    }
    for (uint k = own; k < uint(count); k += uint(LOCAL)) top = larger(score(p, m, k), top);
    partial[own] = top;
    for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
      barrier();
      if (own < half_of) partial[own] = larger(partial[own], partial[own + half_of]);
    }
    barrier();
    top = partial[0];
    barrier();
    float sum = 0.0;
    if (top != -INFINITY) for (uint k = own; k < uint(count); k += uint(LOCAL)) sum += decay_of(score(p, m, k) - top);
    partial[own] = sum;
    for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
      barrier();
      if (own < half_of) partial[own] += partial[own + half_of];
    }
    barrier();
    sum = partial[0];
    for (uint k = own; k < uint(count); k += uint(LOCAL)) {
      precise float w = top == -INFINITY ? 0.0 : decay_of(score(p, m, k) - top) / sum;
      store_float(y + uint64_t(to + int64_t(k) * y_step), FORMAT, w);
    }
    barrier();
  }
}
