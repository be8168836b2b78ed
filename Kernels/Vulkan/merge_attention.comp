// merge_attention: an item an element; a and b f32 f16 bf16, their lse f32; y may be a.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int HAS_Y = 1;
layout(constant_id = 5) const int HAS_LSE = 0;

ARGUMENTS {
  uint64_t y, lse, a, a_lse, b, b_lse;
  int64_t rows, count, y_step, a_step, b_step;
  int extents[8]; // of the rows
  int64_t y_steps[8], lse_steps[8], a_steps[8], a_lse_steps[8], b_steps[8], b_lse_steps[8];
};

void main() {
  uint width = max(uint(count), 1u); // rows of no elements have an lse
  for (uint i = item(); i < uint(rows) * width; i += items()) {
    uint r = i / width, k = i - r * width;
    int64_t of_y, of_lse = 0l, of_a, of_a_lse, of_b, of_b_lse;
    WALK(extents, y_steps, r, of_y)
    if (HAS_LSE == 1) WALK(extents, lse_steps, r, of_lse)
    WALK(extents, a_steps, r, of_a)
    WALK(extents, a_lse_steps, r, of_a_lse)
    WALK(extents, b_steps, r, of_b)
    WALK(extents, b_lse_steps, r, of_b_lse)
    float la = float_at(a_lse + of_a_lse), lb = float_at(b_lse + of_b_lse), top = is_nan(la) || la > lb ? la : lb;
    float wa = la == -INFINITY ? 0.0 : exp_of(la - top), wb = lb == -INFINITY ? 0.0 : exp_of(lb - top);
    precise float total = wa + wb;
    if (HAS_LSE == 1 && k == 0u) {
      precise float l = top == -INFINITY ? top : top + log_of(total);
      AtFloat(lse + of_lse).v = l;
    }
    if (HAS_Y == 0 || uint(count) == 0u) continue;
    precise float sum = 0.0;
    if (wa != 0.0) sum = sum + wa / total * load_float(a + uint64_t(of_a + int64_t(k) * a_step), FORMAT);
    if (wb != 0.0) sum = sum + wb / total * load_float(b + uint64_t(of_b + int64_t(k) * b_step), FORMAT);
    store_float(y + uint64_t(of_y + int64_t(k) * y_step), FORMAT, sum);
  }
}
