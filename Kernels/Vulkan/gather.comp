// y[i] = scale * decode(table)[indices[i]], zeros for an index outside the table. Also dequantize: then there are no indices.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/decode.glsl"

layout(constant_id = 3) const int TO = F32;
layout(constant_id = 4) const int FROM = Q4_0;
layout(constant_id = 5) const int INDEX = ABSENT;

ARGUMENTS {
  uint64_t y, table, indices;
  int64_t rows, width, table_rows, table_row, table_step, y_step;
  float scale;
  int extents[8]; // of the rows
  int64_t y_steps[8], index_steps[8];
};

void main() {
  for (uint i = item(); i < uint(rows * width); i += items()) {
    uint r = i / uint(width), j = i - r * uint(width);
    int64_t to, at;
    WALK(extents, y_steps, r, to)
    WALK(extents, index_steps, r, at)
    uint64_t q = y + to + uint64_t(int64_t(j) * y_step);
    if (INDEX == ABSENT) {
      store_float(q, TO, decode_at(table + at, FROM, j, table_step));
      continue;
    }
    // In two halves: a driver got comparisons of whole 64-bit numbers wrong.
    uvec2 index = INDEX == I64 ? uvec2(word_at(indices + at), word_at(indices + at + 4ul)) : uvec2(word_at(indices + at), int_at(indices + at) >> 31);
    if (index.y != 0u || index.x >= uint(table_rows)) {
      store_float(q, TO, 0.0);
      continue;
    }
    precise float x = decode_at(table + uint64_t(int64_t(index.x) * table_row), FROM, j, table_step);
    if (scale != 1.0) x = x * scale;
    store_float(q, TO, x);
  }
}
