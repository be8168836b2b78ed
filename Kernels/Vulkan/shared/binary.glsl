// y = f(a, b) for each element with broadcasting: f32 f16 bf16, i32 with wrapping; comparisons of these and i64 give bool; gated activations; with
// POW (pow.comp, for devices that have doubles) powers.
#include "values.glsl"
#include "walk.glsl"
#include "math.glsl"

layout(constant_id = 3) const int FORMAT = F32;
layout(constant_id = 4) const int FUNCTION = W_add;
layout(constant_id = 5) const int ACTIVATION = W_none; // of gated_activation

ARGUMENTS {
  uint64_t y, a, b;
  int64_t n;
  int extents[8];
  int64_t y_steps[8], a_steps[8], b_steps[8];
};

#ifdef POW
// a^b in double precision, where the exponent's error is not multiplied beyond an f32's: log2 of a by its mantissa, then a power of two.
float pow_of(float a, float b) {
  if (b == 0.0 || a == 1.0) return 1.0;
  if (is_nan(a) || is_nan(b)) return nan();
  float magnitude = abs(a);
  bool is_whole = abs(b) >= 16777216.0 || b == floor(b), is_odd = is_whole && abs(b) < 16777216.0 && (int(b) & 1) != 0;
  bool is_negative = (floatBitsToUint(a) >> 31) != 0u, flips = is_negative && is_odd;
  if (abs(b) == INFINITY) return magnitude == 1.0 ? 1.0 : (magnitude > 1.0) == (b > 0.0) ? INFINITY : 0.0;
  if (magnitude == INFINITY || magnitude == 0.0) {
    float y = (magnitude == INFINITY) == (b > 0.0) ? INFINITY : 0.0;
    return flips ? -y : y;
  }
  if (is_negative && !is_whole) return nan();
  uint bits = floatBitsToUint(magnitude);
  int e = 0;
  if (bits < 0x00800000u) { bits = floatBitsToUint(float(bits)); e = -149; }
  e += int(bits >> 23) - 127;
  float m = uintBitsToFloat((bits & 0x007fffffu) | 0x3f800000u);
  if (m > 1.41421356) { m *= 0.5; e += 1; }
  precise double s = (double(m) - 1.0lf) / (double(m) + 1.0lf), z = s * s, p = 1.0lf / 15.0lf; // log m = 2 atanh s
  for (int k = 13; k >= 1; k -= 2) p = p * z + 1.0lf / double(k);
  precise double t = double(b) * (double(e) + 2.0lf * s * p * 1.4426950408889634074lf);
  if (t > 129.0lf) return flips ? -INFINITY : INFINITY;
  if (t < -151.0lf) return flips ? -0.0 : 0.0;
  double n = roundEven(t);
  precise float f = float(t - n), y = exp_of(f * 0.693147180559945309);
  int k = int(n);
  y = k > 126 ? y * power_of_two(k - 2) * 4.0 : k < -125 ? y * power_of_two(k + 64) * power_of_two(-64) : y * power_of_two(k);
  return flips ? -y : y;
}
#endif

float float_of(float a, float b) {
  precise float y = a;
  switch (FUNCTION) {
  case W_add: y = a + b; break;
  case W_sub: y = a - b; break;
  case W_mul: y = a * b; break;
  case W_div: y = a / b; break;
  case W_max: return is_nan(a) || a > b ? a : b;
  case W_min: return is_nan(a) || a < b ? a : b;
  case W_gated_activation: y = activate(ACTIVATION, a) * b; break;
#ifdef POW
  case W_pow: return pow_of(a, b);
#endif
  }
  return y;
}
int int_of(int a, int b) {
  switch (FUNCTION) {
  case W_add: return a + b;
  case W_sub: return a - b;
  case W_mul: return a * b;
  case W_div: return b == 0 ? 0 : b == -1 ? 0 - a : a / b;
  case W_max: return max(a, b);
  }
  return min(a, b);
}

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t from_a, from_b, to;
    WALK(extents, a_steps, i, from_a)
    WALK(extents, b_steps, i, from_b)
    WALK(extents, y_steps, i, to)
    if (FUNCTION == W_equal || FUNCTION == W_less || FUNCTION == W_greater) {
      bool is;
      if (is_float(FORMAT)) {
        float p = load_float(a + from_a, FORMAT), q = load_float(b + from_b, FORMAT);
        is = FUNCTION == W_equal ? p == q : FUNCTION == W_less ? p < q : p > q;
      } else {
        int64_t p = load_whole(a + from_a, FORMAT), q = load_whole(b + from_b, FORMAT);
        is = FUNCTION == W_equal ? unpackUint2x32(uint64_t(p)) == unpackUint2x32(uint64_t(q)) : FUNCTION == W_less ? is_less(p, q) : is_less(q, p);
      }
      At8(y + to).v = uint8_t(is ? 1 : 0);
    } else if (FORMAT == I32) {
      At32(y + to).v = uint(int_of(int_at(a + from_a), int_at(b + from_b)));
    } else {
      store_float(y + to, FORMAT, float_of(load_float(a + from_a, FORMAT), load_float(b + from_b, FORMAT)));
    }
  }
}
