// y = activation(a b^T + bias) + residual as in matmul.comp on matrix units (VK_KHR_cooperative_matrix): operands rounded to f16, sums in f32; rows of a and b
// whose elements lie one behind the other, a multiple of 32 of them. A group of four subgroups of 32 computes 64 rows by 64 columns, each subgroup
// a quarter as two by two matrices of 16; half of the items decode weights into shared memory, the other half bring rows of a there.
#version 460
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"
#include "shared/decode.glsl"

layout(constant_id = 3) const int A = F32;
layout(constant_id = 4) const int B = F32;
layout(constant_id = 6) const int BIAS = ABSENT;
layout(constant_id = 7) const int RESIDUAL = ABSENT;
layout(constant_id = 8) const int TO = F32;
layout(constant_id = 9) const int ACTIVATION = W_none;
const int WIDE = 0;
#include "shared/groups.glsl"

ARGUMENTS {
  uint64_t y, a, b, up, bias, residual;
  int64_t m_count, n_count, k_count, matrices;
  int64_t y_row, y_step, a_row, a_step, b_row, b_step, up_row, up_step, bias_step, residual_row, residual_step; // bytes; b_row from column to column of y
  int extents[8]; // of the matrices
  int64_t y_steps[8], a_steps[8], b_steps[8], up_steps[8], residual_steps[8];
};

const uint PITCH = 40u; // of 32 elements in shared memory, so that rows begin in different banks
shared float16_t rows_of_a[64u * PITCH], rows_of_b[64u * PITCH];
shared float results[64 * 64];

void main() {
  uint own = gl_LocalInvocationID.x, line = own % 64u, from_row = gl_SubgroupID / 2u * 32u, from_column = gl_SubgroupID % 2u * 32u;
  uint tiles_n = (uint(n_count) + 63u) / 64u, tiles_m = (uint(m_count) + 63u) / 64u;
  for (uint tile = gl_WorkGroupID.x; tile < tiles_n * tiles_m * uint(matrices); tile += gl_NumWorkGroups.x) {
    uint matrix = tile / (tiles_n * tiles_m), rest = tile % (tiles_n * tiles_m), top = rest % tiles_m * 64u, left = rest / tiles_m * 64u;
    int64_t of_y, of_a, of_b, of_residual = 0l;
    WALK(extents, y_steps, matrix, of_y)
    WALK(extents, a_steps, matrix, of_a)
    WALK(extents, b_steps, matrix, of_b)
    if (RESIDUAL != ABSENT) WALK(extents, residual_steps, matrix, of_residual)
    uint64_t row = a + uint64_t(of_a + int64_t(min(top + line, uint(m_count) - 1u)) * a_row);
    uint64_t column = b + uint64_t(of_b + int64_t(min(left + line, uint(n_count) - 1u)) * b_row);
    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> sums[4];
    [[unroll]] for (int i = 0; i < 4; i++) sums[i] = coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(0.0);
    for (uint k = 0u; k < uint(k_count); k += 32u) {
      if (own < 64u) {
        for (uint i = 0u; i < 32u; i++) rows_of_a[line * PITCH + i] = float16_t(load_float(row + uint64_t((k + i) * uint(block_bytes(A))), A));
      } else if (B >= Q4_0) {
        vec4 q[8];
        vec2 scale, minimum;
        load_group(column, k >> 5, q, scale, minimum);
        [[unroll]] for (uint i = 0u; i < 32u; i++)
          rows_of_b[line * PITCH + i] = float16_t(q[i / 4u][i % 4u] * (i < 16u ? scale.x : scale.y) - (HAS_MINIMUM ? (i < 16u ? minimum.x : minimum.y) : 0.0));
      } else {
        for (uint i = 0u; i < 32u; i++) rows_of_b[line * PITCH + i] = float16_t(load_float(column + uint64_t((k + i) * uint(block_bytes(B))), B));
      }
      barrier();
      [[unroll]] for (uint part = 0u; part < 32u; part += 16u) {
        coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> left_side[2];
        coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB> right_side[2];
        [[unroll]] for (uint i = 0u; i < 2u; i++) {
          coopMatLoad(left_side[i], rows_of_a, (from_row + 16u * i) * PITCH + part, PITCH, gl_CooperativeMatrixLayoutRowMajor);
          coopMatLoad(right_side[i], rows_of_b, (from_column + 16u * i) * PITCH + part, PITCH, gl_CooperativeMatrixLayoutColumnMajor);
        }
        [[unroll]] for (int i = 0; i < 4; i++) sums[i] = coopMatMulAdd(left_side[i / 2], right_side[i % 2], sums[i]);
      }
      barrier();
    }
    [[unroll]] for (uint i = 0u; i < 4u; i++)
      coopMatStore(sums[i], results, (from_row + i / 2u * 16u) * 64u + from_column + i % 2u * 16u, 64u, gl_CooperativeMatrixLayoutRowMajor);
    barrier();
    for (uint i = own; i < 64u * 64u; i += 128u) {
      uint m = top + i / 64u, n = left + i % 64u;
      if (m >= uint(m_count) || n >= uint(n_count)) continue;
      precise float z = results[i];
      if (BIAS != ABSENT) z = z + load_float(bias + uint64_t(int64_t(n) * bias_step), BIAS);
      z = activate(ACTIVATION, z);
      if (RESIDUAL != ABSENT) z = z + load_float(residual + uint64_t(of_residual + int64_t(m) * residual_row + int64_t(n) * residual_step), RESIDUAL);
      store_float(y + uint64_t(of_y + int64_t(m) * y_row + int64_t(n) * y_step), TO, z);
    }
    barrier();
  }
}
