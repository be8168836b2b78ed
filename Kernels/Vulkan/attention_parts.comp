// Joins the parts that attention.comp and attention_tile.comp leave with SPLITS above 1: an item an element of y.
//
// A part is the largest score of its keys, the sum of exp(score - largest), and the values' sums with these weights.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 3) const int SINKS = ABSENT;
layout(constant_id = 4) const int TO = F32;
layout(constant_id = 5) const int LSE = ABSENT;
layout(constant_id = 6) const int SPLITS = 1;

ARGUMENTS {
  uint64_t y, lse, partial, sinks;
  int64_t batches, queries, heads, value_width;
  int64_t y_token, y_head, y_step, lse_token, lse_head, sink_step;
  int extents[8]; // of the batches
  int64_t y_steps[8], lse_steps[8];
};

void main() {
  uint width = max(uint(value_width), 1u); // rows of no elements have an lse
  for (uint i = item(); i < uint(batches * queries * heads) * width; i += items()) {
    uint row = i / width, column = i % width, head = row % uint(heads), t = row / uint(heads) % uint(queries), batch = row / uint(heads) / uint(queries);
    uint64_t at = partial + uint64_t(row) * uint64_t(SPLITS) * uint64_t(value_width + 2l) * 4ul, size = uint64_t(value_width + 2l) * 4ul;
    float sink = SINKS != ABSENT ? float_at(sinks + uint64_t(int64_t(head) * sink_step)) : -INFINITY, most = sink;
    for (int s = 0; s < SPLITS; s++) {
      float z = float_at(at + uint64_t(s) * size);
      if (!is_nan(most) && !(z <= most)) most = z;
    }
    float total = sink == -INFINITY ? 0.0 : exp_of(sink - most), sum = 0.0;
    for (int s = 0; s < SPLITS; s++) {
      uint64_t part = at + uint64_t(s) * size;
      float z = float_at(part);
      if (z == -INFINITY) continue; // it has seen nothing
      float weight = exp_of(z - most);
      total += weight * float_at(part + 4ul);
      if (column < uint(value_width)) sum += weight * float_at(part + uint64_t(8u + 4u * column));
    }
    int64_t of_y, of_lse = 0l;
    WALK(extents, y_steps, batch, of_y)
    if (LSE != ABSENT) WALK(extents, lse_steps, batch, of_lse)
    precise float z = most == -INFINITY ? 0.0 : sum / total;
    if (column < uint(value_width)) store_float(y + uint64_t(of_y + int64_t(t) * y_token + int64_t(head) * y_head + int64_t(column) * y_step), TO, z);
    if (LSE != ABSENT && column == 0u) {
      precise float l = most == -INFINITY ? most : most + log_of(total);
      AtFloat(lse + uint64_t(of_lse + int64_t(t) * lse_token + int64_t(head) * lse_head)).v = l;
    }
  }
}
