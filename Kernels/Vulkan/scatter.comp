// tensor_scatter's writes: row positions[t] of a dense cache = the dense update's row t, converted; a group an update.
//
// Caches of f32 f16 bf16 q8_0 q4_0. Of two updates to one row the later wins: the earlier one is left out, so that their order does not matter.
#version 460
#include "shared/values.glsl"
#include "shared/decode.glsl"
#include "shared/encode.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int TO = F32;
layout(constant_id = 4) const int FROM = F32;
layout(constant_id = 5) const int POSITION = I32;

ARGUMENTS {
  uint64_t y, update, positions;
  int64_t tokens, rows, count, position_step; // count: elements of a row
  int circular;
};

shared uint is_overwritten;

int64_t target(uint t) {
  int64_t position = load_index(positions + uint64_t(int64_t(t) * position_step), POSITION);
  if (is_negative(position)) return -1l;
  if (circular != 0) return position % rows;
  return is_less(position, rows) ? position : -1l;
}

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint t = gl_WorkGroupID.x; t < uint(tokens); t += gl_NumWorkGroups.x) {
    int64_t row = rows == 0l ? -1l : target(t);
    bool writes = !is_negative(row);
    if (own == 0u) is_overwritten = 0u;
    barrier();
    if (writes) for (uint later = t + 1u + own; later < uint(tokens); later += uint(LOCAL)) if (target(later) == row) is_overwritten = 1u;
    barrier();
    if (writes && is_overwritten == 0u) {
      uint64_t from = update + uint64_t(t) * uint64_t(count) * uint64_t(block_bytes(FROM));
      uint64_t to = y + uint64_t(row) * (uint64_t(count) / uint64_t(block_elements(TO))) * uint64_t(block_bytes(TO));
      if (TO == Q8_0) for (uint b = own; b < uint(count) / 32u; b += uint(LOCAL)) encode_q8_0(to + uint64_t(b) * 34ul, from, FROM, 32u * b, int64_t(block_bytes(FROM)));
      else if (TO == Q4_0) for (uint b = own; b < uint(count) / 32u; b += uint(LOCAL)) encode_q4_0(to + uint64_t(b) * 18ul, from, FROM, 32u * b, int64_t(block_bytes(FROM)));
      else for (uint k = own; k < uint(count); k += uint(LOCAL))
        store_float(to + uint64_t(k) * uint64_t(block_bytes(TO)), TO, load_float(from + uint64_t(k) * uint64_t(block_bytes(FROM)), FROM));
    }
    barrier();
  }
}
