// rotary_embedding, rms_norm_rope: a work item a head. The angle is a product carried with its rounding error, so that far positions keep their accuracy.
//
// X, Y, P  formats of heads, of results and of positions; HAS_WEIGHT, IS_NORMED
#include "shared/rows.cl"

inline float2 rotated(float2 v, float position, float frequency) {
  const float angle = position * frequency, low = fma(position, frequency, -angle);
  const float s = sin(angle), c = cos(angle), sine = fma(c, low, s), cosine = fma(-s, low, c);
  return (float2)(v.x * cosine - v.y * sine, v.x * sine + v.y * cosine);
}

kernel void rope(OUT(y), IN(x), IN(weight), IN(positions), IN(frequencies), const int8 extents, const long8 y_steps, const long8 x_steps, const int tokens,
                 const int heads, const int n, const int pairs, const long y_step, const long x_step, const long weight_step, const long position_step,
                 const long frequency_step, const float epsilon, const float weight_offset, const int interleaved, const float scale) {
  const uint index = get_global_id(0);
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps), *weight = AT(weight), *frequencies = AT(frequencies);
  const float position = LOAD(P)(AT(positions) + index / heads % tokens * position_step);
  float factor = 1;
#if IS_NORMED
  float16 squares = 0;
  float rest = 0;
  FOR_RUNS(k, n) { float16 v = ROW16(X, x, k, x_step); squares = fma(v, v, squares); }
  FOR_REST(l, n) { float v = LOAD(X)(x + l * x_step); rest = fma(v, v, rest); }
  factor = 1 / sqrt((sum16(squares) + rest) / n + epsilon);
#endif
#if !IS_NORMED
#define HEAD(i) LOAD(X)(x + (i) * x_step)
#elif HAS_WEIGHT
#define HEAD(i) (LOAD(X)(x + (i) * x_step) * factor * (load_f32(weight + (i) * weight_step) + weight_offset))
#else
#define HEAD(i) (LOAD(X)(x + (i) * x_step) * factor * (1 + weight_offset))
#endif
  for (int i = 0; i < pairs; i++) {
    const int first = interleaved ? 2 * i : i, second = interleaved ? 2 * i + 1 : i + pairs;
    const float2 v = scale * rotated((float2)(HEAD(first), HEAD(second)), position, load_f32(frequencies + i * frequency_step));
    STORE(Y)(y + first * y_step, v.x);
    STORE(Y)(y + second * y_step, v.y);
  }
  for (int i = 2 * pairs; i < n; i++) STORE(Y)(y + i * y_step, HEAD(i));
}
