// Attention as in attention.comp, of rows that lie one behind the other: keys and values f32 f16 bf16, keys' widths a multiple of 32,
// values' of 16.
//
// A group has ROWS rows of one head of keys: queries by the heads that share it. It takes LOCAL keys at a time: an item scores one key for all rows, the
// queries' elements handed round in the subgroup; then each item sums its share of the values' elements, the weights handed round. LOCAL is the
// subgroup's size, 4, 8 or 16.
#version 460
#extension GL_KHR_shader_subgroup_shuffle : require
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"
#include "shared/decode.glsl"

layout(constant_id = 0) const int LOCAL = 8;
layout(constant_id = 3) const int Q = F32;
layout(constant_id = 4) const int K = F32;
layout(constant_id = 5) const int V = F32;
layout(constant_id = 6) const int MASK = ABSENT;
layout(constant_id = 7) const int SINKS = ABSENT;
layout(constant_id = 8) const int SLOPES = ABSENT;
layout(constant_id = 9) const int TO = F32;
layout(constant_id = 10) const int LSE = ABSENT;
layout(constant_id = 12) const int E = 16; // elements of a value
layout(constant_id = 13) const int ROWS = 1;
layout(constant_id = 14) const int CAP = 0; // whether softcap is there
layout(constant_id = 15) const int SPLITS = 1; // groups that share the keys, as in attention.comp

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

const int LOADS = (ROWS * 16 + LOCAL - 1) / LOCAL, VALUE_LOADS = E / 2 / LOCAL;

// Elements i and i + 1 of a row of plain format.
vec2 load_pair(uint64_t row, const int format, uint i) {
  if (format == F32) return uintBitsToFloat(unpackUint2x32(At64(row + uint64_t(i) * 4ul).v));
  uint w = word_at(row + uint64_t(i) * 2ul);
  return format == F16 ? vec2(from_f16(w & 0xffffu), from_f16(w >> 16)) : uintBitsToFloat(uvec2(w << 16, w & 0xffff0000u));
}
// Elements i to i + 3.
vec4 load_four(uint64_t row, const int format, uint i) {
  if (format == F32) return vec4(load_pair(row, format, i), load_pair(row, format, i + 2u));
  uvec2 w = unpackUint2x32(At64(row + uint64_t(i) * 2ul).v);
  uvec4 half_words = uvec4(w.x & 0xffffu, w.x >> 16, w.y & 0xffffu, w.y >> 16);
  return format == F16 ? vec4(from_f16(half_words.x), from_f16(half_words.y), from_f16(half_words.z), from_f16(half_words.w)) : uintBitsToFloat(half_words << 16);
}

// Where row `r` of a tile's queries begins.
uint64_t queries_at(uint r, uint tile, uint key_head, int64_t of_q) {
  uint shared_by = uint(heads / max(key_heads, 1l)), row = min(tile * uint(ROWS) + r, uint(queries) * shared_by - 1u);
  return q + uint64_t(of_q + int64_t(row / shared_by) * q_token + int64_t(key_head * shared_by + row % shared_by) * q_head);
}

void main() {
  uint own = gl_LocalInvocationID.x;
  float factor = scale != 0.0 ? scale : 1.0 / sqrt(float(key_width));
  uint shared_by = uint(heads / max(key_heads, 1l)), rows = uint(queries) * shared_by, tiles = (rows + uint(ROWS) - 1u) / uint(ROWS);
  for (uint place = gl_WorkGroupID.x; place < uint(batches) * uint(key_heads) * tiles * uint(SPLITS); place += gl_NumWorkGroups.x) {
    uint i = place / uint(SPLITS), split = place % uint(SPLITS);
    uint tile = i % tiles, key_head = i / tiles % uint(key_heads), batch = i / tiles / uint(key_heads);
    int64_t of_q, of_k, of_v, of_y, of_lse = 0l;
    WALK(extents, q_steps, batch, of_q)
    WALK(extents, k_steps, batch, of_k)
    WALK(extents, v_steps, batch, of_v)
    WALK(extents, y_steps, batch, of_y)
    if (LSE != ABSENT) WALK(extents, lse_steps, batch, of_lse)
    uint64_t at_k = k + uint64_t(of_k + int64_t(key_head) * k_head), at_v = v + uint64_t(of_v + int64_t(key_head) * v_head);

    // Row r is query t[r] of head h[r]; a last row stands in for those that are too many.
    int t[ROWS], h[ROWS], from[ROWS], to[ROWS];
    float slope[ROWS], most[ROWS], total[ROWS];
    vec2 sums[ROWS * VALUE_LOADS];
    int begin = int(keys), end = 0;
    [[unroll]] for (int r = 0; r < ROWS; r++) {
      uint row = min(tile * uint(ROWS) + uint(r), rows - 1u);
      t[r] = int(row / shared_by);
      h[r] = int(key_head * shared_by + row % shared_by);
      int here = t[r] + int(keys) - int(queries);
      from[r] = window > 0l ? clamp(here - int(min(window, keys)) + 1, 0, int(keys)) : 0;
      to[r] = max(causal != 0 ? min(here + 1, int(keys)) : int(keys), from[r]);
      if (to[r] > from[r]) { begin = min(begin, from[r]); end = max(end, to[r]); }
      slope[r] = SLOPES != ABSENT ? float_at(slopes + uint64_t(int64_t(h[r]) * slope_step)) : 0.0;
      // The sink is there from the start: a weight of 1 and no value.
      most[r] = SINKS != ABSENT && SPLITS == 1 ? float_at(sinks + uint64_t(int64_t(h[r]) * sink_step)) : -INFINITY;
      total[r] = most[r] == -INFINITY || own != 0u ? 0.0 : 1.0;
      [[unroll]] for (int x = 0; x < VALUE_LOADS; x++) sums[r * VALUE_LOADS + x] = vec2(0.0);
    }

    if (SPLITS > 1) {
      int piece = (max(end - begin, 0) / (LOCAL * SPLITS) + 1) * LOCAL;
      begin = min(begin + int(split) * piece, end);
      end = min(end, begin + piece);
    }
    for (int base = begin; base < end; base += LOCAL) {
      int j = base + int(own);
      uint64_t key = at_k + uint64_t(int64_t(min(j, int(keys) - 1)) * k_token);
      float score[ROWS];
      [[unroll]] for (int r = 0; r < ROWS; r++) score[r] = 0.0;
      for (uint d = 0u; d < uint(key_width); d += 32u) {
        vec2 query[LOADS];
        [[unroll]] for (int x = 0; x < LOADS; x++) {
          uint at = uint(x * LOCAL) + own;
          query[x] = load_pair(queries_at(at / 16u, tile, key_head, of_q), Q, d + 2u * (at % 16u));
        }
        vec4 part[8];
        [[unroll]] for (uint x = 0u; x < 8u; x++) part[x] = load_four(key, K, d + 4u * x);
        [[unroll]] for (int r = 0; r < ROWS; r++) {
          float sum = score[r];
          [[unroll]] for (int x = 0; x < 32; x++) {
            const int at = r * 16 + x / 2;
            sum += subgroupShuffle(query[at / LOCAL][x % 2], uint(at % LOCAL)) * part[x / 4][x % 4];
          }
          score[r] = sum;
        }
      }
      float weight[ROWS];
      [[unroll]] for (int r = 0; r < ROWS; r++) {
        precise float s = score[r] * factor;
        if (CAP == 1) s = softcap * tanh_of(s / softcap);
        bool is_seen = j >= from[r] && j < to[r];
        float m = 0.0;
        if (MASK != ABSENT && is_seen) {
          uint64_t p = mask + uint64_t(int64_t(t[r]) * mask_row + int64_t(j) * mask_step);
          m = MASK == BOOL ? (byte_at(p) != 0u ? 0.0 : -INFINITY) : load_float(p, MASK);
        }
        if (SLOPES != ABSENT) s = s + (m + slope[r] * float(j - t[r] - int(keys) + int(queries)));
        else if (MASK != ABSENT) s = s + m;
        if (!is_seen || m == -INFINITY) s = -INFINITY;
        float top = s; // the largest of all items; a NaN is larger
        [[unroll]] for (int step = LOCAL / 2; step > 0; step /= 2) {
          float other = subgroupShuffle(top, own ^ uint(step));
          if (!is_nan(top) && !(other <= top)) top = other;
        }
        top = is_nan(most[r]) || top <= most[r] ? most[r] : top;
        float shrink = top == most[r] ? 1.0 : most[r] == -INFINITY ? 0.0 : decay_of(most[r] - top);
        total[r] *= shrink;
        [[unroll]] for (int x = 0; x < VALUE_LOADS; x++) sums[r * VALUE_LOADS + x] *= shrink;
        most[r] = top;
        weight[r] = s == -INFINITY ? -1.0 : decay_of(s - most[r]); // below 0: hidden
        total[r] += s == -INFINITY ? 0.0 : weight[r];
      }
      int count = min(LOCAL, end - base);
      for (int x = 0; x < count; x++) {
        uint64_t value = at_v + uint64_t(int64_t(base + x) * v_token);
        float w[ROWS];
        bool is_wanted = false;
        [[unroll]] for (int r = 0; r < ROWS; r++) {
          w[r] = subgroupShuffle(weight[r], uint(x));
          is_wanted = is_wanted || !(w[r] < 0.0);
        }
        if (!is_wanted) continue; // whatever stands there
        [[unroll]] for (int c = 0; c < VALUE_LOADS; c++) {
          vec2 part = load_pair(value, V, 2u * (uint(c * LOCAL) + own));
          [[unroll]] for (int r = 0; r < ROWS; r++) sums[r * VALUE_LOADS + c] += w[r] < 0.0 ? vec2(0.0) : w[r] * part;
        }
      }
    }

    [[unroll]] for (int r = 0; r < ROWS; r++) {
      float all = total[r];
      [[unroll]] for (int step = LOCAL / 2; step > 0; step /= 2) all += subgroupShuffle(all, own ^ uint(step));
      if (tile * uint(ROWS) + uint(r) >= rows) continue;
      if (SPLITS > 1) {
        uint64_t row = (uint64_t(batch) * uint64_t(queries) + uint64_t(t[r])) * uint64_t(heads) + uint64_t(h[r]);
        uint64_t at = partial + (row * uint64_t(SPLITS) + uint64_t(split)) * uint64_t(value_width + 2l) * 4ul;
        if (own == 0u) {
          AtFloat(at).v = most[r];
          AtFloat(at + 4ul).v = all;
        }
        [[unroll]] for (int c = 0; c < VALUE_LOADS * 2; c++)
          AtFloat(at + uint64_t(8u + 4u * (2u * (uint(c / 2 * LOCAL) + own) + uint(c % 2)))).v = sums[r * VALUE_LOADS + c / 2][c % 2];
      } else {
        uint64_t at_y = y + uint64_t(of_y + int64_t(t[r]) * y_token + int64_t(h[r]) * y_head);
        [[unroll]] for (int c = 0; c < VALUE_LOADS * 2; c++) {
          uint column = 2u * (uint(c / 2 * LOCAL) + own) + uint(c % 2);
          precise float z = most[r] == -INFINITY ? 0.0 : sums[r * VALUE_LOADS + c / 2][c % 2] / all;
          store_float(at_y + uint64_t(int64_t(column) * y_step), TO, z);
        }
        if (LSE != ABSENT && own == 0u) {
          precise float l = most[r] == -INFINITY ? most[r] : most[r] + log_of(all);
          AtFloat(lse + uint64_t(of_lse + int64_t(t[r]) * lse_token + int64_t(h[r]) * lse_head)).v = l;
        }
      }
    }
  }
}
