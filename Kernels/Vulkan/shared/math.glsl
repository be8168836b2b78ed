// Functions of one f32, within an ulp or two: polynomials fitted at Chebyshev nodes, of arguments reduced without rounding.
// The constants of each say on what range. Drivers' own functions may be off by thousands of ulp.

// 2^n of a whole n in -126 … 127.
float power_of_two(int n) { return uintBitsToFloat(uint(n + 127) << 23); }

// exp(r) - 1, |r| < 0.35.
float small_expm1(float r) {
  precise float p = 1.393454499e-3;
  p = p * r + 8.363776840e-3;
  p = p * r + 4.166645557e-2;
  p = p * r + 1.666657329e-1;
  p = p * r + 0.5;
  precise float y = r + r * r * p;
  return y;
}

// exp(x) as y * 2^n.
float scaled_exp(float x, out int n) {
  precise float k = roundEven(x * 1.44269504088896341);
  precise float r = x - k * 0.693359375;
  r = r + k * 2.12194440054690583e-4;
  n = int(k);
  precise float y = 1.0 + small_expm1(r);
  return y;
}

// Results below the normal numbers may come out as 0.
float exp_of(float x) {
  if (is_nan(x)) return x;
  if (x > 88.73) return INFINITY;
  if (x < -104.0) return 0.0;
  int k;
  float y = scaled_exp(x, k);
  if (k > 126) return y * power_of_two(k - 1) * 2.0;
  if (k < -125) return y * power_of_two(k + 64) * power_of_two(-64);
  return y * power_of_two(k);
}

// exp(x) of x <= 0 without branches, for what is subtracted from a maximum.
float decay_of(float x) {
  float z = x < -87.33 ? -87.33 : x;
  int n;
  float y = scaled_exp(z, n);
  return x < -87.33 ? 0.0 : y * power_of_two(n);
}

// exp(x) - 1, relative to the larger of x and 1.
float expm1_of(float x) {
  if (abs(x) > 0.3) return exp_of(x) - 1.0;
  return small_expm1(x);
}

float log_of(float x) {
  uint bits = floatBitsToUint(x);
  if (is_nan(x) || bits == 0x7f800000u) return x;
  if ((bits & 0x7fffffffu) == 0u) return -INFINITY;
  if (bits > 0x7f800000u) return nan();
  int e = 0;
  if (bits < 0x00800000u) { bits = floatBitsToUint(float(bits)); e = -149; } // subnormal: its bits as a whole number
  e += int(bits >> 23) - 127;
  float m = uintBitsToFloat((bits & 0x007fffffu) | 0x3f800000u);
  if (m > 1.41421356) { m *= 0.5; e += 1; }
  precise float f = m - 1.0, square = f * f;
  precise float p = 7.149753720e-2;
  p = p * f - 1.157120094e-1;
  p = p * f + 1.166151091e-1;
  p = p * f - 1.241105050e-1;
  p = p * f + 1.424993724e-1;
  p = p * f - 1.666848063e-1;
  p = p * f + 2.000070810e-1;
  p = p * f - 2.499998957e-1;
  p = p * f + 3.333333135e-1;
  precise float n = float(e), y = p * f * square;
  y = y - n * 2.12194440054690583e-4;
  y = y - 0.5 * square;
  y = f + y;
  y = y + n * 0.693359375;
  return y;
}

// log(1 + x), x >= 0.
float log1p_of(float x) {
  precise float u = 1.0 + x, lost = x - (u - 1.0);
  precise float y = log_of(u) + lost / u;
  return y;
}

float tanh_of(float x) {
  float t = abs(x);
  if (is_nan(x)) return x;
  if (t < 0.6) {
    precise float z = x * x, p = 2.272705082e-3;
    p = p * z - 8.326402865e-3;
    p = p * z + 2.176363394e-2;
    p = p * z - 5.395862460e-2;
    p = p * z + 1.333330125e-1;
    p = p * z - 3.333333433e-1;
    precise float y = x + x * z * p;
    return y;
  }
  precise float y = t > 10.0 ? 1.0 : 1.0 - 2.0 / (exp_of(2.0 * t) + 1.0);
  return x < 0.0 ? -y : y;
}

float erf_of(float x) {
  float t = abs(x);
  if (is_nan(x)) return x;
  if (t <= 0.95) {
    precise float z = x * x, p = -9.673591194e-6;
    p = p * z + 1.126825373e-4;
    p = p * z - 8.484396385e-4;
    p = p * z + 5.221053492e-3;
    p = p * z - 2.686543763e-2;
    p = p * z + 1.128378287e-1;
    p = p * z - 3.761263788e-1;
    p = p * z + 1.283791661e-1;
    precise float y = x + x * p;
    return y;
  }
  if (t > 4.0) return x < 0.0 ? -1.0 : 1.0;
  precise float q = 9.194299082e-7; // log(erfc(t)) / t
  q = q * t - 3.216489858e-5;
  q = q * t + 4.826005606e-4;
  q = q * t - 4.240228795e-3;
  q = q * t + 2.499564923e-2;
  q = q * t - 1.076679975e-1;
  q = q * t - 6.342782974e-1;
  q = q * t - 1.128865838;
  precise float y = 1.0 - exp_of(t * q);
  return x < 0.0 ? -y : y;
}

// Cosine and sine of x: its turns in 64 bits of fixed point, exactly, then polynomials on an eighth of a turn.
vec2 cos_sin_of(float x) {
  uint bits = floatBitsToUint(x);
  int e = int((bits >> 23) & 255u) - 150;
  if (e == 105) return vec2(nan()); // infinity, NaN
  uint m = (bits & 0x007fffffu) | 0x00800000u;
  if (e < -149) { m &= 0x007fffffu; e = -149; }
  const uint64_t per_turn = 0x28BE60DB9391054AUL; // 2^64 / 2 pi
  uint64_t low = uint64_t(m) * per_turn;
  uint64_t high = (uint64_t(m) * (per_turn >> 32) + ((uint64_t(m) * (per_turn & 0xffffffffUL)) >> 32)) >> 32;
  uint64_t turn = e >= 0 ? (e > 63 ? 0UL : low << e) : e > -64 ? (low >> -e) | (high << (64 + e)) : e > -88 ? high >> (-e - 64) : 0UL;
  if ((bits >> 31) != 0u) turn = 0UL - turn;
  uint64_t quarter = (turn + 0x2000000000000000UL) >> 62;
  float a = float(int64_t(turn - (quarter << 62))) * 3.40612158008655459e-19; // 2 pi / 2^64
  precise float z = a * a, s = 2.724385240e-6, c = -2.729594826e-7;
  s = s * z - 1.984003902e-4;
  s = s * z + 8.333331905e-3;
  s = s * z - 1.666666716e-1;
  s = a + a * z * s;
  c = c * z + 2.480056173e-5;
  c = c * z - 1.388888806e-3;
  c = c * z + 4.166666791e-2;
  c = 1.0 - 0.5 * z + z * z * c;
  uint k = uint(quarter);
  if (k == 0u) return vec2(c, s);
  if (k == 1u) return vec2(-s, c);
  if (k == 2u) return vec2(-c, -s);
  return vec2(s, -c);
}

float rsqrt_of(float x) { precise float y = 1.0 / sqrt(x); return y; }

float sigmoid_of(float x) { precise float y = 1.0 / (1.0 + exp_of(-x)); return y; }
float silu_of(float x) { precise float y = x / (1.0 + exp_of(-x)); return y; }
float relu_of(float x) { return x > 0.0 || is_nan(x) ? x : 0.0; }
float gelu_erf_of(float x) { precise float y = 0.5 * x * (1.0 + erf_of(x * 0.70710678118654752)); return y; }
// x/2 (1 + tanh u) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3)
float gelu_tanh_of(float x) {
  precise float y = x / (1.0 + exp_of(-1.59576912160573071 * (x + 0.044715 * x * x * x)));
  return y;
}

// Activations by their word, and by that of the gated operator which uses them.
float activate(const int activation, float x) {
  if (activation == W_relu || activation == W_reglu) return relu_of(x);
  if (activation == W_silu || activation == W_swiglu) return silu_of(x);
  if (activation == W_gelu_tanh || activation == W_geglu_tanh) return gelu_tanh_of(x);
  if (activation == W_gelu_erf || activation == W_geglu_erf) return gelu_erf_of(x);
  return x;
}
