// y = activation(a decode(b)^T + bias) + residual, and matmul_gated: activation(a gate^T) * (a up^T). Any formats and strides; leading dimensions broadcast.
//
// An item sums ROWS rows of a and one column of y; SPLIT items share a column's sum, each taking every SPLIT-th run of RUN elements.
// LOCAL = columns of a group * SPLIT.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"
#include "shared/decode.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int A = F32;
layout(constant_id = 4) const int B = F32;
layout(constant_id = 5) const int UP = ABSENT; // present: gated
layout(constant_id = 6) const int BIAS = ABSENT;
layout(constant_id = 7) const int RESIDUAL = ABSENT;
layout(constant_id = 8) const int TO = F32;
layout(constant_id = 9) const int ACTIVATION = W_none;
layout(constant_id = 10) const int ROWS = 1;
layout(constant_id = 11) const int SPLIT = 1;
const uint RUN = 8u;

ARGUMENTS {
  uint64_t y, a, b, up, bias, residual;
  int64_t m_count, n_count, k_count, matrices;
  int64_t y_row, y_step, a_row, a_step, b_row, b_step, up_row, up_step, bias_step, residual_row, residual_step; // bytes; b_row from column to column of y
  int extents[8]; // of the matrices
  int64_t y_steps[8], a_steps[8], b_steps[8], up_steps[8], residual_steps[8];
};

shared float partial[LOCAL * ROWS];

float joined(float sum, uint r) {
  uint own = gl_LocalInvocationID.x, part = own % uint(SPLIT);
  if (SPLIT == 1) return sum;
  barrier();
  partial[own * uint(ROWS) + r] = sum;
  for (uint half_of = uint(SPLIT) / 2u; half_of > 0u; half_of /= 2u) {
    barrier();
    if (part < half_of) partial[own * uint(ROWS) + r] += partial[(own + half_of) * uint(ROWS) + r];
  }
  barrier();
  return partial[own * uint(ROWS) + r];
}

void main() {
  uint columns = uint(LOCAL) / uint(SPLIT), part = gl_LocalInvocationID.x % uint(SPLIT);
  uint tiles_n = (uint(n_count) + columns - 1u) / columns, tiles_m = (uint(m_count) + uint(ROWS) - 1u) / uint(ROWS);
  for (uint tile = gl_WorkGroupID.x; tile < tiles_n * tiles_m * uint(matrices); tile += gl_NumWorkGroups.x) {
    uint matrix = tile / (tiles_n * tiles_m), rest = tile % (tiles_n * tiles_m);
    uint top = rest / tiles_n * uint(ROWS), column = rest % tiles_n * columns + gl_LocalInvocationID.x / uint(SPLIT);
    int64_t of_y, of_a, of_b, of_up = 0l, of_residual = 0l;
    WALK(extents, y_steps, matrix, of_y)
    WALK(extents, a_steps, matrix, of_a)
    WALK(extents, b_steps, matrix, of_b)
    if (UP != ABSENT) WALK(extents, up_steps, matrix, of_up)
    if (RESIDUAL != ABSENT) WALK(extents, residual_steps, matrix, of_residual)
    bool is_inside = column < uint(n_count);
    uint own_column = is_inside ? column : 0u;
    uint64_t q = b + uint64_t(of_b + int64_t(own_column) * b_row), q2 = UP != ABSENT ? up + uint64_t(of_up + int64_t(own_column) * up_row) : 0ul;
    float sums[ROWS], gates[ROWS];
    for (int r = 0; r < ROWS; r++) { sums[r] = 0.0; gates[r] = 0.0; }
    for (uint k = part * RUN; k < uint(k_count); k += uint(SPLIT) * RUN) {
      uint end = min(k + RUN, uint(k_count));
      for (uint j = k; j < end; j++) {
        float w = decode_at(q, B, j, b_step), w2 = UP != ABSENT ? decode_at(q2, UP, j, up_step) : 0.0;
        for (int r = 0; r < ROWS; r++) {
          uint row = min(top + uint(r), uint(m_count) - 1u);
          float v = load_float(a + uint64_t(of_a + int64_t(row) * a_row + int64_t(j) * a_step), A);
          sums[r] += v * w;
          if (UP != ABSENT) gates[r] += v * w2;
        }
      }
    }
    for (int r = 0; r < ROWS; r++) {
      float sum = joined(sums[r], uint(r)), gate = UP != ABSENT ? joined(gates[r], uint(r)) : 0.0;
      uint row = top + uint(r);
      if (!is_inside || part != 0u || row >= uint(m_count)) continue;
      precise float z = sum;
      if (BIAS != ABSENT) z = z + load_float(bias + uint64_t(int64_t(column) * bias_step), BIAS);
      z = activate(ACTIVATION, z);
      if (UP != ABSENT) z = z * gate;
      if (RESIDUAL != ABSENT) z = z + load_float(residual + uint64_t(of_residual + int64_t(row) * residual_row + int64_t(column) * residual_step), RESIDUAL);
      store_float(y + uint64_t(of_y + int64_t(row) * y_row + int64_t(column) * y_step), TO, z);
    }
  }
}
