// y = activation(a b^T + bias) + residual and matmul_gated as in matmul.comp, for rows of a and of b whose elements lie one behind the other, a multiple
// of 32 of them: a group sums ROWS rows by COLUMNS columns, its items taking 32 neighbours of each row at a time in turn.
#version 460
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
layout(constant_id = 11) const int COLUMNS = 1;
layout(constant_id = 12) const int WIDE = 0; // 1: the device loads 64 bits from any address, as processors do
#include "shared/groups.glsl"

ARGUMENTS {
  uint64_t y, a, b, up, bias, residual;
  int64_t m_count, n_count, k_count, matrices;
  int64_t y_row, y_step, a_row, a_step, b_row, b_step, up_row, up_step, bias_step, residual_row, residual_step; // bytes; b_row from column to column of y
  int extents[8]; // of the matrices
  int64_t y_steps[8], a_steps[8], b_steps[8], up_steps[8], residual_steps[8];
};

const int SOURCES = UP == ABSENT ? 1 : 2;
shared float partial[LOCAL * ROWS * COLUMNS * SOURCES];

void load_weights(uint64_t row, uint k, out vec4 q[8], out vec2 scale, out vec2 minimum) {
  if (B >= Q4_0) {
    load_group(row, k >> 5, q, scale, minimum);
    return;
  }
  [[unroll]] for (uint i = 0u; i < 8u; i++) q[i] = load_four(row, B, k + 4u * i);
}

void main() {
  uint own = gl_LocalInvocationID.x;
  uint tiles_n = (uint(n_count) + uint(COLUMNS) - 1u) / uint(COLUMNS), tiles_m = (uint(m_count) + uint(ROWS) - 1u) / uint(ROWS);
  for (uint tile = gl_WorkGroupID.x; tile < tiles_n * tiles_m * uint(matrices); tile += gl_NumWorkGroups.x) {
    uint matrix = tile / (tiles_n * tiles_m), rest = tile % (tiles_n * tiles_m), top = rest % tiles_m * uint(ROWS), left = rest / tiles_m * uint(COLUMNS);
    int64_t of_y = 0l, of_a = 0l, of_b = 0l, of_up = 0l, of_residual = 0l;
    if (matrices > 1l) {
      WALK(extents, y_steps, matrix, of_y)
      WALK(extents, a_steps, matrix, of_a)
      WALK(extents, b_steps, matrix, of_b)
      if (UP != ABSENT) WALK(extents, up_steps, matrix, of_up)
      if (RESIDUAL != ABSENT) WALK(extents, residual_steps, matrix, of_residual)
    }
    float sums[ROWS * COLUMNS * SOURCES];
    [[unroll]] for (int i = 0; i < ROWS * COLUMNS * SOURCES; i++) sums[i] = 0.0;
    for (uint k = own * 32u; k < uint(k_count); k += uint(LOCAL) * 32u) {
      vec4 v[ROWS][8];
      vec2 total[ROWS];
      [[unroll]] for (int r = 0; r < ROWS; r++) {
        uint64_t row = a + uint64_t(of_a + int64_t(min(top + uint(r), uint(m_count) - 1u)) * a_row);
        [[unroll]] for (uint i = 0u; i < 8u; i++) v[r][i] = load_four(row, A, k + 4u * i);
        if (HAS_MINIMUM) {
          vec4 first = v[r][0] + v[r][1] + v[r][2] + v[r][3], second = v[r][4] + v[r][5] + v[r][6] + v[r][7];
          total[r] = vec2(dot(first, vec4(1.0)), dot(second, vec4(1.0)));
        }
      }
      [[unroll]] for (int c = 0; c < COLUMNS * SOURCES; c++) {
        uint column = min(left + uint(c / SOURCES), uint(n_count) - 1u);
        vec4 q[8];
        vec2 scale, minimum;
        if (SOURCES == 2 && c % 2 == 1) load_weights(up + uint64_t(of_up + int64_t(column) * up_row), k, q, scale, minimum);
        else load_weights(b + uint64_t(of_b + int64_t(column) * b_row), k, q, scale, minimum);
        [[unroll]] for (int r = 0; r < ROWS; r++) {
          float first = 0.0, second = 0.0;
          [[unroll]] for (int i = 0; i < 4; i++) {
            first += dot(v[r][i], q[i]);
            second += dot(v[r][4 + i], q[4 + i]);
          }
          if (B >= Q4_0) {
            sums[r * COLUMNS * SOURCES + c] += scale.x * first + scale.y * second;
            if (HAS_MINIMUM) sums[r * COLUMNS * SOURCES + c] -= minimum.x * total[r].x + minimum.y * total[r].y;
          } else {
            sums[r * COLUMNS * SOURCES + c] += first + second;
          }
        }
      }
    }
    const int COUNT = ROWS * COLUMNS * SOURCES;
    [[unroll]] for (int i = 0; i < COUNT; i++) partial[i * LOCAL + int(own)] = sums[i];
    barrier();
    for (int i = int(own); i < ROWS * COLUMNS; i += LOCAL) {
      int r = i / COLUMNS, c = i % COLUMNS;
      uint row = top + uint(r), column = left + uint(c);
      if (row >= uint(m_count) || column >= uint(n_count)) continue;
      precise float z = 0.0, other = 0.0;
      for (int part = 0; part < LOCAL; part++) {
        z = z + partial[(i * SOURCES) * LOCAL + part];
        if (SOURCES == 2) other = other + partial[(i * SOURCES + 1) * LOCAL + part];
      }
      if (BIAS != ABSENT) z = z + load_float(bias + uint64_t(int64_t(column) * bias_step), BIAS);
      z = activate(ACTIVATION, z);
      if (UP != ABSENT) z = z * other;
      if (RESIDUAL != ABSENT) z = z + load_float(residual + uint64_t(of_residual + int64_t(row) * residual_row + int64_t(column) * residual_step), RESIDUAL);
      store_float(y + uint64_t(of_y + int64_t(row) * y_row + int64_t(column) * y_step), TO, z);
    }
    barrier();
  }
}
