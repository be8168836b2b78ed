// cumsum along one dimension: an item a line. f32 f16 bf16 i32, which wraps; y may be x.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 3) const int FORMAT = F32;

ARGUMENTS {
  uint64_t y, x;
  int64_t lines, count;
  int exclusive, reverse;
  int extents[8];
  int64_t y_steps[8], x_steps[8], y_inner[8], x_inner[8]; // inner: along the line, in place 7
};

void main() {
  for (uint i = item(); i < uint(lines); i += items()) {
    int64_t from, to;
    WALK(extents, x_steps, i, from)
    WALK(extents, y_steps, i, to)
    precise float sum = 0.0;
    uint whole = 0u;
    // In reverse from the line's other end.
    int64_t last = count - 1l, step_x = reverse == 1 ? -x_inner[7] : x_inner[7], step_y = reverse == 1 ? -y_inner[7] : y_inner[7];
    uint64_t p = x + uint64_t(from + (reverse == 1 ? last * x_inner[7] : 0l)), q = y + uint64_t(to + (reverse == 1 ? last * y_inner[7] : 0l));
    for (uint k = 0u; k < uint(count); k++, p += step_x, q += step_y) {
      if (FORMAT == I32) {
        uint before = whole;
        whole += word_at(p);
        At32(q).v = exclusive == 1 ? before : whole;
      } else {
        precise float before = sum;
        sum = sum + load_float(p, FORMAT);
        store_float(q, FORMAT, exclusive == 1 ? before : sum);
      }
    }
  }
}
