// Values into small whole numbers and into blocks, as ggml's reference does, in f32.

bool is_finite(float x) { return (floatBitsToUint(x) & 0x7fffffffu) < 0x7f800000u; } // where d is so small that 1 / d overflows, a quant is 0

// To nearest, ties to even, then the zero point; limited to the format. NaN gives 0.
int quant_of(float x, int zero, const int format) {
  int low = format == I8 ? -128 : 0, high = format == I8 ? 127 : 255;
  if (is_nan(x)) return clamp(zero, low, high);
  return clamp(int(roundEven(clamp(x, -2097152.0, 2097152.0))) + clamp(zero, -2097152, 2097152), low, high);
}

// Thirty-two values of a row from element `at` on, `step` bytes apart.
float block_value(uint64_t row, const int format, uint at, int64_t step, uint j) { return load_float(row + uint64_t(int64_t(at + j) * step), format); }

void encode_q8_0(uint64_t to, uint64_t row, const int format, uint at, int64_t step) {
  float largest = 0.0;
  for (uint j = 0u; j < 32u; j++) largest = max(largest, abs(block_value(row, format, at, step, j)));
  precise float d = largest / 127.0, inverse = d != 0.0 ? 1.0 / d : 0.0;
  At16(to).v = uint16_t(to_f16(d));
  for (uint j = 0u; j < 32u; j++) {
    precise float x = block_value(row, format, at, step, j) * inverse;
    float t = trunc(x), part = x - t; // half away from zero
    float y = abs(part) >= 0.5 ? t + sign(x) : t;
    At8(to + 2ul + uint64_t(j)).v = uint8_t(is_finite(y) ? int(clamp(y, -128.0, 127.0)) : 0);
  }
}
void encode_q4_0(uint64_t to, uint64_t row, const int format, uint at, int64_t step) {
  float largest = 0.0, extreme = 0.0;
  for (uint j = 0u; j < 32u; j++) {
    float x = block_value(row, format, at, step, j);
    if (abs(x) > largest) { largest = abs(x); extreme = x; }
  }
  precise float d = extreme / -8.0, inverse = d != 0.0 ? 1.0 / d : 0.0;
  At16(to).v = uint16_t(to_f16(d));
  for (uint j = 0u; j < 16u; j++) {
    precise float x = block_value(row, format, at, step, j) * inverse, z = block_value(row, format, at, step, j + 16u) * inverse;
    x = x + 8.5;
    z = z + 8.5;
    int low = is_finite(x) ? int(clamp(x, -128.0, 127.0)) : 0, high = is_finite(z) ? int(clamp(z, -128.0, 127.0)) : 0;
    At8(to + uint64_t(2u + j)).v = uint8_t(uint(min(low, 15)) & 15u | (uint(min(high, 15)) & 15u) << 4);
  }
}
