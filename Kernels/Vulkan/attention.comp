// Scaled dot-product attention with online softmax: a group a head of a query. Every option of the spec; keys and values f32 f16 bf16 q8_0 q4_0.
//
// With SPLITS above 1 that many groups share a head of a query, each with its part of the keys; attention_parts.comp joins what they leave in `partial`.
//
// The group takes LOCAL keys at a time: an item scores one of them; then each item sums its share of the values' elements.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"
#include "shared/decode.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int Q = F32;
layout(constant_id = 4) const int K = F32;
layout(constant_id = 5) const int V = F32;
layout(constant_id = 6) const int MASK = ABSENT;
layout(constant_id = 7) const int SINKS = ABSENT;
layout(constant_id = 8) const int SLOPES = ABSENT;
layout(constant_id = 9) const int TO = F32;
layout(constant_id = 10) const int LSE = ABSENT;
layout(constant_id = 11) const int WIDTH = 1; // at least the elements of a value, divided by LOCAL
layout(constant_id = 15) const int SPLITS = 1;

ARGUMENTS {
  uint64_t y, lse, q, k, v, mask, sinks, slopes, partial;
  int64_t batches, queries, keys, heads, key_heads, key_width, value_width;
  int64_t q_token, q_head, q_step, k_token, k_head, k_step, v_token, v_head, v_step, y_token, y_head, y_step, lse_token, lse_head;
  int64_t mask_row, mask_step, sink_step, slope_step, window;
  float scale, softcap; // scale 0: 1 / sqrt(key_width)
  int causal;
  int extents[8]; // of the batches
  int64_t q_steps[8], k_steps[8], v_steps[8], y_steps[8], lse_steps[8];
};

shared float scores[LOCAL];

void main() {
  uint own = gl_LocalInvocationID.x;
  float factor = scale != 0.0 ? scale : 1.0 / sqrt(float(key_width));
  for (uint place = gl_WorkGroupID.x; place < uint(batches * queries * heads) * uint(SPLITS); place += gl_NumWorkGroups.x) {
    uint i = place / uint(SPLITS), split = place % uint(SPLITS);
    uint head = i % uint(heads), t = i / uint(heads) % uint(queries), batch = i / uint(heads) / uint(queries);
    int64_t of_q, of_k, of_v, of_y, of_lse = 0l;
    WALK(extents, q_steps, batch, of_q)
    WALK(extents, k_steps, batch, of_k)
    WALK(extents, v_steps, batch, of_v)
    WALK(extents, y_steps, batch, of_y)
    if (LSE != ABSENT) WALK(extents, lse_steps, batch, of_lse)
    int64_t key_head = key_heads == heads ? int64_t(head) : int64_t(head) / (heads / max(key_heads, 1l));
    uint64_t at_q = q + uint64_t(of_q + int64_t(t) * q_token + int64_t(head) * q_head);
    uint64_t at_k = k + uint64_t(of_k + key_head * k_head), at_v = v + uint64_t(of_v + key_head * v_head);
    int64_t here = int64_t(t) + keys - queries;
    int64_t first = window > 0l ? clamp(here - window + 1l, 0l, keys) : 0l, last = max(causal != 0 ? min(here + 1l, keys) : keys, first);
    if (SPLITS > 1) {
      int64_t piece = ((last - first) / int64_t(LOCAL * SPLITS) + 1l) * int64_t(LOCAL);
      first = min(first + int64_t(split) * piece, last);
      last = min(last, first + piece);
    }
    float slope = SLOPES != ABSENT ? float_at(slopes + uint64_t(int64_t(head) * slope_step)) : 0.0;
    // The sink is there from the start: a weight of 1 and no value.
    float most = SINKS != ABSENT && SPLITS == 1 ? float_at(sinks + uint64_t(int64_t(head) * sink_step)) : -INFINITY, total = most == -INFINITY ? 0.0 : 1.0, sums[WIDTH];
    for (int e = 0; e < WIDTH; e++) sums[e] = 0.0;
    for (int64_t base = first; base < last; base += int64_t(LOCAL)) {
      int64_t j = base + int64_t(own);
      float s = -INFINITY;
      if (j < last) {
        float m = 0.0;
        if (MASK != ABSENT) {
          uint64_t p = mask + uint64_t(int64_t(t) * mask_row + j * mask_step);
          m = MASK == BOOL ? (byte_at(p) != 0u ? 0.0 : -INFINITY) : load_float(p, MASK);
        }
        if (m != -INFINITY) {
          uint64_t row = at_k + uint64_t(j * k_token);
          float sum = 0.0;
          for (uint d = 0u; d < uint(key_width); d++) sum += load_float(at_q + uint64_t(int64_t(d) * q_step), Q) * decode_at(row, K, d, k_step);
          precise float z = sum * factor;
          if (softcap > 0.0) z = softcap * tanh_of(z / softcap);
          if (SLOPES != ABSENT) z = z + (m + slope * float(j - here));
          else if (MASK != ABSENT) z = z + m;
          s = z;
        }
      }
      scores[own] = s;
      barrier();
      uint count = uint(min(int64_t(LOCAL), last - base));
      float top = most;
      for (uint x = 0u; x < count; x++) { float z = scores[x]; if (!is_nan(top) && !(z <= top)) top = z; }
      if (top != -INFINITY) {
        if (most != top) {
          float shrink = most == -INFINITY ? 0.0 : exp_of(most - top);
          total *= shrink;
          for (int e = 0; e < WIDTH; e++) sums[e] *= shrink;
          most = top;
        }
        for (uint x = 0u; x < count; x++) {
          float z = scores[x];
          if (z == -INFINITY) continue;
          float w = exp_of(z - most);
          total += w;
          uint64_t row = at_v + uint64_t((base + int64_t(x)) * v_token);
          for (int e = 0; e < WIDTH; e++) {
            uint column = uint(e) * uint(LOCAL) + own;
            if (column < uint(value_width)) sums[e] += w * decode_at(row, V, column, v_step);
          }
        }
      }
      barrier();
    }
    if (SPLITS > 1) {
      uint64_t at = partial + uint64_t(place) * uint64_t(value_width + 2l) * 4ul;
      if (own == 0u) {
        AtFloat(at).v = most;
        AtFloat(at + 4ul).v = total;
      }
      for (int e = 0; e < WIDTH; e++) {
        uint column = uint(e) * uint(LOCAL) + own;
        if (column < uint(value_width)) AtFloat(at + uint64_t(8u + 4u * column)).v = sums[e];
      }
      continue;
    }
    for (int e = 0; e < WIDTH; e++) {
      uint column = uint(e) * uint(LOCAL) + own;
      precise float z = most == -INFINITY ? 0.0 : sums[e] / total;
      if (column < uint(value_width)) store_float(y + uint64_t(of_y + int64_t(t) * y_token + int64_t(head) * y_head + int64_t(column) * y_step), TO, z);
    }
    if (LSE != ABSENT && own == 0u) {
      precise float l = most == -INFINITY ? most : most + log_of(total);
      AtFloat(lse + uint64_t(of_lse + int64_t(t) * lse_token + int64_t(head) * lse_head)).v = l;
    }
  }
}
