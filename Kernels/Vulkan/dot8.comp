// y = activation(a b^T + bias) + residual as in dot.comp, for weights q8_0 and q4_0 and devices that multiply four bytes at once: thirty-two neighbours of a
// become whole numbers up to 127 with one scale, and a group of weights times these is summed without rounding.
#version 460
#extension GL_EXT_spirv_intrinsics : require
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/math.glsl"
#include "shared/decode.glsl"

layout(constant_id = 0) const int LOCAL = 1;
layout(constant_id = 3) const int A = F32;
layout(constant_id = 4) const int B = Q8_0;
layout(constant_id = 6) const int BIAS = ABSENT;
layout(constant_id = 7) const int RESIDUAL = ABSENT;
layout(constant_id = 8) const int TO = F32;
layout(constant_id = 9) const int ACTIVATION = W_none;
layout(constant_id = 10) const int ROWS = 1;
layout(constant_id = 11) const int COLUMNS = 1;
layout(constant_id = 12) const int WIDE = 0;
#include "shared/groups.glsl"

// OpSDotKHR of four signed bytes each (packed format 0); capabilities DotProductInput4x8BitPacked and DotProduct.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450) int dot_of_bytes(uint a, uint b, spirv_literal int format);

ARGUMENTS {
  uint64_t y, a, b, up, bias, residual;
  int64_t m_count, n_count, k_count, matrices;
  int64_t y_row, y_step, a_row, a_step, b_row, b_step, up_row, up_step, bias_step, residual_row, residual_step;
  int extents[8]; // of the matrices
  int64_t y_steps[8], a_steps[8], b_steps[8], up_steps[8], residual_steps[8];
};

shared float partial[LOCAL * ROWS * COLUMNS];

// Eight words of four whole numbers for elements k to k + 31, what one of them is worth, and what that must still be multiplied by.
void quantise(uint64_t row, uint k, out uint code[8], out vec2 worth) {
  vec4 v[8];
  float largest = 0.0;
  [[unroll]] for (uint i = 0u; i < 8u; i++) {
    v[i] = load_four(row, A, k + 4u * i);
    vec4 z = abs(v[i]);
    [[unroll]] for (int j = 0; j < 4; j++) if (!(z[j] <= largest)) largest = is_nan(largest) ? largest : z[j];
  }
  bool is_finite = largest < INFINITY;
  float factor = largest < 7.888609052e-31 ? 1.267650600e30 : 1.0;
  largest *= factor;
  float inverse = is_finite && largest > 0.0 ? 127.0 / largest : 0.0;
  worth = vec2(is_finite ? largest * (1.0 / 127.0) : nan(), 1.0 / factor);
  [[unroll]] for (int i = 0; i < 8; i++) {
    ivec4 q = is_finite ? ivec4(roundEven(v[i] * factor * inverse)) & 255 : ivec4(0);
    code[i] = uint(q.x | q.y << 8 | q.z << 16 | q.w << 24);
  }
}

void main() {
  uint own = gl_LocalInvocationID.x;
  uint tiles_n = (uint(n_count) + uint(COLUMNS) - 1u) / uint(COLUMNS), tiles_m = (uint(m_count) + uint(ROWS) - 1u) / uint(ROWS);
  for (uint tile = gl_WorkGroupID.x; tile < tiles_n * tiles_m * uint(matrices); tile += gl_NumWorkGroups.x) {
    uint matrix = tile / (tiles_n * tiles_m), rest = tile % (tiles_n * tiles_m), top = rest % tiles_m * uint(ROWS), left = rest / tiles_m * uint(COLUMNS);
    int64_t of_y, of_a, of_b, of_residual = 0l;
    WALK(extents, y_steps, matrix, of_y)
    WALK(extents, a_steps, matrix, of_a)
    WALK(extents, b_steps, matrix, of_b)
    if (RESIDUAL != ABSENT) WALK(extents, residual_steps, matrix, of_residual)
    float sums[ROWS * COLUMNS];
    [[unroll]] for (int i = 0; i < ROWS * COLUMNS; i++) sums[i] = 0.0;
    for (uint k = own * 32u; k < uint(k_count); k += uint(LOCAL) * 32u) {
      uint code[ROWS][8];
      vec2 worth[ROWS];
      int eights[ROWS]; // what q4_0's numbers are above their values
      [[unroll]] for (int r = 0; r < ROWS; r++) {
        quantise(a + uint64_t(of_a + int64_t(min(top + uint(r), uint(m_count) - 1u)) * a_row), k, code[r], worth[r]);
        eights[r] = 0;
        if (B == Q4_0) [[unroll]] for (int i = 0; i < 8; i++) eights[r] += dot_of_bytes(code[r][i], 0x08080808u, 0);
      }
      [[unroll]] for (int c = 0; c < COLUMNS; c++) {
        uint64_t p = b + uint64_t(of_b + int64_t(min(left + uint(c), uint(n_count) - 1u)) * b_row) + uint64_t(k >> 5) * uint64_t(block_bytes(B));
        float scale = scale_at(p);
        uint weight[8];
        [[unroll]] for (uint i = 0u; i < 4u; i++) {
          if (B == Q8_0) {
            uvec2 w = load8(p + uint64_t(2u + 8u * i));
            weight[2u * i] = w.x;
            weight[2u * i + 1u] = w.y;
          } else {
            uint w = load4(p + uint64_t(2u + 4u * i));
            weight[i] = w & 0x0f0f0f0fu;
            weight[i + 4u] = w >> 4 & 0x0f0f0f0fu;
          }
        }
        [[unroll]] for (int r = 0; r < ROWS; r++) {
          int sum = -eights[r];
          [[unroll]] for (int i = 0; i < 8; i++) sum += dot_of_bytes(code[r][i], weight[i], 0);
          sums[r * COLUMNS + c] += scale * float(sum) * worth[r].x * worth[r].y;
        }
      }
    }
    [[unroll]] for (int i = 0; i < ROWS * COLUMNS; i++) partial[i * LOCAL + int(own)] = sums[i];
    barrier();
    for (int i = int(own); i < ROWS * COLUMNS; i += LOCAL) {
      uint row = top + uint(i / COLUMNS), column = left + uint(i % COLUMNS);
      if (row >= uint(m_count) || column >= uint(n_count)) continue;
      precise float z = 0.0;
      for (int part = 0; part < LOCAL; part++) z = z + partial[i * LOCAL + part];
      if (BIAS != ABSENT) z = z + load_float(bias + uint64_t(int64_t(column) * bias_step), BIAS);
      z = activate(ACTIVATION, z);
      if (RESIDUAL != ABSENT) z = z + load_float(residual + uint64_t(of_residual + int64_t(row) * residual_row + int64_t(column) * residual_step), RESIDUAL);
      store_float(y + uint64_t(of_y + int64_t(row) * y_row + int64_t(column) * y_step), TO, z);
    }
    barrier();
  }
}
