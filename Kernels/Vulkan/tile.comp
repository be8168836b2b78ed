// y = activation(a b^T + bias) + residual and matmul_gated as in matmul.comp, for rows of a and of b whose elements lie one behind the other, a multiple
// of 32 of them: an item keeps sums of ROWS rows by COLUMNS columns in registers and decodes its columns' weights itself; the rows' elements are loaded by
// the items together and handed round in the subgroup. Shared memory is not needed: for devices where that is no faster than memory, as processors are.
// LOCAL is the subgroup's size, at most 32.
#version 460
#extension GL_KHR_shader_subgroup_shuffle : require
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"
#include "shared/decode.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int A = F32;
layout(constant_id = 4) const int B = F32;
layout(constant_id = 5) const int UP = ABSENT; // present: gated; of b's format
layout(constant_id = 6) const int BIAS = ABSENT;
layout(constant_id = 7) const int RESIDUAL = ABSENT;
layout(constant_id = 8) const int TO = F32;
layout(constant_id = 9) const int ACTIVATION = W_none;
layout(constant_id = 10) const int ROWS = 1;
layout(constant_id = 11) const int COLUMNS = 1; // of an item
const int WIDE = 1; // loads are of 64 bits, from any address
#include "shared/groups.glsl"

ARGUMENTS {
  uint64_t y, a, b, up, bias, residual;
  int64_t m_count, n_count, k_count, matrices;
  int64_t y_row, y_step, a_row, a_step, b_row, b_step, up_row, up_step, bias_step, residual_row, residual_step; // bytes; b_row from column to column of y
  int extents[8]; // of the matrices
  int64_t y_steps[8], a_steps[8], b_steps[8], up_steps[8], residual_steps[8];
};

const int SOURCES = UP == ABSENT ? 1 : 2;
const int PAIRS = ROWS * 16, LOADS = (PAIRS + LOCAL - 1) / LOCAL; // of 32 elements of each row
const int SUMS = ROWS * COLUMNS * SOURCES;

// Elements k and k + 1 of a row of plain format.
vec2 load_pair(uint64_t row, const int format, uint k) {
  if (format == F32) return uintBitsToFloat(unpackUint2x32(At64(row + uint64_t(k) * 4ul).v));
  uint w = word_at(row + uint64_t(k) * 2ul);
  return format == F16 ? vec2(from_f16(w & 0xffffu), from_f16(w >> 16)) : uintBitsToFloat(uvec2(w << 16, w & 0xffff0000u));
}
// Elements k to k + 31 of a column's weights.
void load_weights(uint64_t row, uint k, out vec4 q[8]) {
  if (B >= Q4_0) {
    vec2 scale, minimum;
    load_group(row, k >> 5, q, scale, minimum);
    [[unroll]] for (int i = 0; i < 8; i++) {
      q[i] *= i < 4 ? scale.x : scale.y;
      if (HAS_MINIMUM) q[i] -= i < 4 ? minimum.x : minimum.y;
    }
  } else if (B == F32) {
    [[unroll]] for (uint i = 0u; i < 8u; i++) q[i] = vec4(load_pair(row, B, k + 4u * i), load_pair(row, B, k + 4u * i + 2u));
  } else {
    [[unroll]] for (uint i = 0u; i < 8u; i++) {
      uvec2 w = unpackUint2x32(At64(row + uint64_t(k + 4u * i) * 2ul).v);
      uvec4 half_words = uvec4(w.x & 0xffffu, w.x >> 16, w.y & 0xffffu, w.y >> 16);
      q[i] = B == F16 ? vec4(from_f16(half_words.x), from_f16(half_words.y), from_f16(half_words.z), from_f16(half_words.w)) : uintBitsToFloat(half_words << 16);
    }
  }
}

void main() {
  uint own = gl_LocalInvocationID.x;
  const uint across = uint(LOCAL * COLUMNS);
  uint tiles_n = (uint(n_count) + across - 1u) / across, tiles_m = (uint(m_count) + uint(ROWS) - 1u) / uint(ROWS);
  for (uint tile = gl_WorkGroupID.x; tile < tiles_n * tiles_m * uint(matrices); tile += gl_NumWorkGroups.x) {
    uint matrix = tile / (tiles_n * tiles_m), rest = tile % (tiles_n * tiles_m), top = rest % tiles_m * uint(ROWS), left = rest / tiles_m * across + own;
    int64_t of_y = 0l, of_a = 0l, of_b = 0l, of_up = 0l, of_residual = 0l;
    if (matrices > 1l) {
      WALK(extents, y_steps, matrix, of_y)
      WALK(extents, a_steps, matrix, of_a)
      WALK(extents, b_steps, matrix, of_b)
      if (UP != ABSENT) WALK(extents, up_steps, matrix, of_up)
      if (RESIDUAL != ABSENT) WALK(extents, residual_steps, matrix, of_residual)
    }
    float sums[SUMS];
    [[unroll]] for (int i = 0; i < SUMS; i++) sums[i] = 0.0;
    for (uint k = 0u; k < uint(k_count); k += 32u) {
      vec2 v[LOADS];
      [[unroll]] for (int i = 0; i < LOADS; i++) {
        uint at = uint(i * LOCAL) + own, row = min(top + at / 16u, uint(m_count) - 1u);
        v[i] = load_pair(a + uint64_t(of_a + int64_t(row) * a_row), A, k + 2u * (at % 16u));
      }
      [[unroll]] for (int c = 0; c < COLUMNS * SOURCES; c++) {
        uint column = min(left + uint(c / SOURCES * LOCAL), uint(n_count) - 1u);
        vec4 q[8];
        if (SOURCES == 2 && c % 2 == 1) load_weights(up + uint64_t(of_up + int64_t(column) * up_row), k, q);
        else load_weights(b + uint64_t(of_b + int64_t(column) * b_row), k, q);
        [[unroll]] for (int r = 0; r < ROWS; r++) {
          float sum = sums[r * COLUMNS * SOURCES + c];
          [[unroll]] for (int i = 0; i < 32; i++) {
            const int at = r * 16 + i / 2;
            sum += subgroupShuffle(v[at / LOCAL][i % 2], uint(at % LOCAL)) * q[i / 4][i % 4];
          }
          sums[r * COLUMNS * SOURCES + c] = sum;
        }
      }
    }
    [[unroll]] for (int i = 0; i < ROWS * COLUMNS; i++) {
      uint row = top + uint(i / COLUMNS), column = left + uint(i % COLUMNS * LOCAL);
      if (row >= uint(m_count) || column >= uint(n_count)) continue;
      precise float z = sums[i * SOURCES];
      if (BIAS != ABSENT) z = z + load_float(bias + uint64_t(int64_t(column) * bias_step), BIAS);
      z = activate(ACTIVATION, z);
      if (UP != ABSENT) z = z * sums[i * SOURCES + SOURCES - 1];
      if (RESIDUAL != ABSENT) z = z + load_float(residual + uint64_t(of_residual + int64_t(row) * residual_row + int64_t(column) * residual_step), RESIDUAL);
      store_float(y + uint64_t(of_y + int64_t(row) * y_row + int64_t(column) * y_step), TO, z);
    }
  }
}
