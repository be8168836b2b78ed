// matmul_integer and qlinear_matmul: i8 and u8 in any combination, sums in 32 bits that wrap; an item an element of y. Leading dimensions broadcast.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"
#include "shared/encode.glsl"

layout(constant_id = 3) const int A = I8;
layout(constant_id = 4) const int B = I8;
layout(constant_id = 5) const int TO = I32;
layout(constant_id = 6) const int A_ZERO = ABSENT;
layout(constant_id = 7) const int B_ZERO = ABSENT;
layout(constant_id = 8) const int Y_ZERO = ABSENT;

ARGUMENTS {
  uint64_t y, a, b, a_scale, b_scale, y_scale, a_zero, b_zero, y_zero;
  int64_t n, m_count, n_count, k_count;
  int64_t y_row, y_step, a_row, a_step, b_row, b_step; // bytes; b_row from column to column of y
  int64_t a_scale_step, b_scale_step, a_zero_step, b_zero_step; // 0 where one serves all
  int extents[8]; // of the matrices
  int64_t y_steps[8], a_steps[8], b_steps[8];
};

int zero_of(uint64_t p, const int format) { return format == ABSENT ? 0 : int(load_whole(p, format)); }

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    uint column = i % uint(n_count), rest = i / uint(n_count), row = rest % uint(m_count), matrix = rest / uint(m_count);
    int64_t of_y, of_a, of_b;
    WALK(extents, y_steps, matrix, of_y)
    WALK(extents, a_steps, matrix, of_a)
    WALK(extents, b_steps, matrix, of_b)
    uint64_t p = a + uint64_t(of_a + int64_t(row) * a_row), q = b + uint64_t(of_b + int64_t(column) * b_row);
    int za = zero_of(a_zero + uint64_t(int64_t(row) * a_zero_step), A_ZERO), zb = zero_of(b_zero + uint64_t(int64_t(column) * b_zero_step), B_ZERO);
    int sum = 0;
    for (uint k = 0u; k < uint(k_count); k++)
      sum += (int(load_whole(p + uint64_t(int64_t(k) * a_step), A)) - za) * (int(load_whole(q + uint64_t(int64_t(k) * b_step), B)) - zb);
    uint64_t to = y + uint64_t(of_y + int64_t(row) * y_row + int64_t(column) * y_step);
    if (TO == I32) {
      At32(to).v = uint(sum);
    } else {
      precise float factor = float_at(a_scale + uint64_t(int64_t(row) * a_scale_step)) / float_at(y_scale) * float_at(b_scale + uint64_t(int64_t(column) * b_scale_step));
      precise float v = float(sum) * factor;
      At8(to).v = uint8_t(quant_of(v, zero_of(y_zero, Y_ZERO), TO));
    }
  }
}
