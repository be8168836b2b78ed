// sample: draws an index from softmax(logits / temperature) after top-k, top-p and min-p, a group a row. f32 f16 bf16.
//
// No sorting: the last pair (key, index) that a filter keeps is found by bisection, first of the key, then of the index among equal keys; each step
// sums the weights (for top-k: counts) of what comes before.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"

layout(constant_id = 0) const int LOCAL = 1;
#include "shared/order.glsl"
layout(constant_id = 3) const int FORMAT = F32;

ARGUMENTS {
  uint64_t y, logits, draws;
  int64_t rows, count, step, top_k;
  float temperature, top_p, min_p;
  int extents[8]; // of the rows
  int64_t y_steps[8], logit_steps[8], draw_steps[8];
};

shared float partial[LOCAL];
shared uint chosen_by;
shared float chosen_before;

uint64_t row_at;
float top;

float logit(uint i) {
  float x = load_float(row_at + uint64_t(int64_t(i) * step), FORMAT);
  return is_nan(x) ? -INFINITY : x;
}
float weight(float x, float t) { precise float z = (x - top) / t; return exp_of(z); }

// The sum over all pairs that come before or are `last`, and before or are `within`; of weights, or of ones.
float sum_until(uvec2 last, uvec2 within, bool counts) {
  uint own = gl_LocalInvocationID.x;
  float sum = 0.0;
  for (uint i = own; i < uint(count); i += uint(LOCAL)) {
    float x = logit(i);
    uvec2 pair = uvec2(order_of(x, true), i);
    if (!is_before(last, pair) && !is_before(within, pair)) sum += counts ? 1.0 : weight(x, 1.0);
  }
  barrier();
  partial[own] = sum;
  for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
    barrier();
    if (own < half_of) partial[own] += partial[own + half_of];
  }
  barrier();
  return partial[0];
}

// The first pair at which the sum within `within` reaches `limit`.
uvec2 reaching(float limit, uvec2 within, bool counts) {
  uint low = 0u, high = 0xffffffffu; // the sum until (low, all indices) reaches the limit; until (high, all) it does not
  while (high - low > 1u) {
    uint middle = low + (high - low) / 2u;
    if (sum_until(uvec2(middle, 0xffffffffu), within, counts) >= limit) low = middle;
    else high = middle;
  }
  uint first = 0u, last = uint(count);
  while (first < last) {
    uint middle = first + (last - first) / 2u;
    if (sum_until(uvec2(low, middle), within, counts) >= limit) last = middle;
    else first = middle + 1u;
  }
  return uvec2(low, first);
}

void main() {
  uint own = gl_LocalInvocationID.x;
  for (uint r = gl_WorkGroupID.x; r < uint(rows); r += gl_NumWorkGroups.x) {
    int64_t from, of_draw, to;
    WALK(extents, logit_steps, r, from)
    WALK(extents, draw_steps, r, of_draw)
    WALK(extents, y_steps, r, to)
    row_at = logits + from;
    uvec2 best = BEHIND_ALL;
    for (uint i = own; i < uint(count); i += uint(LOCAL)) {
      uvec2 pair = uvec2(order_of(logit(i), true), i);
      if (is_before(pair, best)) best = pair;
    }
    best = first_of_all(best);
    top = logit(best.y);
    if (!(temperature > 0.0) || abs(top) == INFINITY) {
      if (own == 0u) At32(y + to).v = best.y;
      continue;
    }
    uvec2 last = BEHIND_ALL;
    if (top_k > 0l && top_k < count) last = reaching(float(top_k), BEHIND_ALL, true);
    if (top_p < 1.0) last = reaching(top_p * sum_until(last, BEHIND_ALL, false), last, false);
    uint chunk = (uint(count) + uint(LOCAL) - 1u) / uint(LOCAL), begin = min(own * chunk, uint(count)), end = min(begin + chunk, uint(count));
#define WEIGHT(i, w)                                                                                                   \
    float x_ = logit(i), w = 0.0;                                                                                      \
    if (!is_before(last, uvec2(order_of(x_, true), i)) && !(min_p > 0.0 && x_ != top && weight(x_, 1.0) < min_p)) w = weight(x_, temperature);
    float sum = 0.0;
    for (uint i = begin; i < end; i++) { WEIGHT(i, w) sum += w; }
    barrier();
    partial[own] = sum;
    barrier();
    if (own == 0u) {
      float total = 0.0, before = 0.0;
      for (int i = 0; i < LOCAL; i++) total += partial[i];
      float limit = float_at(draws + of_draw) * total;
      chosen_by = 0u;
      for (int i = 0; i < LOCAL; i++) {
        if (partial[i] > 0.0) { chosen_by = uint(i); chosen_before = before; }
        before += partial[i];
        if (before > limit) break;
      }
      partial[0] = limit;
    }
    barrier();
    if (own == chosen_by) {
      uint chosen = best.y;
      float before = chosen_before, limit = partial[0];
      for (uint i = begin; i < end; i++) {
        WEIGHT(i, w)
        if (w > 0.0) chosen = i;
        before += w;
        if (before > limit) break;
      }
      At32(y + to).v = chosen;
    }
    barrier();
  }
}
