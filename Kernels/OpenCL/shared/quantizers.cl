// Rows to blocks, 32 numbers at a time, bit for bit as the formats' reference quantisers do it in f32.
#include "shared/values.cl"

// Towards zero; 0 for what is not finite, as where 1 / d overflows.
inline int whole(float v) { return isfinite(v) ? (int)clamp(v, -1e6f, 1e6f) : 0; }

// d = max |v| / 127, q = v (1 / d) rounded half away from zero.
inline void quantize_q8_0(global uchar *to, const float *v) {
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = fmax(largest, fabs(v[i]));
  const float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
  store_f16(to, d);
  for (int i = 0; i < 32; i++) to[2 + i] = (uchar)(char)clamp(whole(round(v[i] * inverse)), -128, 127);
}
// d = m / -8 for the m of largest magnitude, with its sign; q = floor(v (1 / d) + 8.5), at most 15.
inline void quantize_q4_0(global uchar *to, const float *v) {
  float extreme = 0;
  for (int i = 0; i < 32; i++) if (fabs(v[i]) > fabs(extreme)) extreme = v[i];
  const float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
  store_f16(to, d);
  for (int i = 0; i < 16; i++) {
    const int low = clamp(whole(v[i] * inverse + 8.5f), 0, 15), high = clamp(whole(v[i + 16] * inverse + 8.5f), 0, 15);
    to[2 + i] = (uchar)(low | high << 4);
  }
}
