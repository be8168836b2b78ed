// rms_norm, layer_norm, add_rms_norm: a group of work items a row. Sums in f32, 16 at a time.
//
// X           format of x and y; HAS_WEIGHT, HAS_BIAS, IS_LAYER (mean and variance), IS_SUM (adds the residual first and keeps the sum)
#include "shared/rows.cl"

#if HAS_WEIGHT
#define SCALED16(v, i) ((v) * (ROW16(f32, weight, i, weight_step) + weight_offset))
#define SCALED1(v, i) ((v) * (load_f32(weight + (i) * weight_step) + weight_offset))
#else
#define SCALED16(v, i) ((v) * (1 + weight_offset))
#define SCALED1(v, i) ((v) * (1 + weight_offset))
#endif
#if HAS_BIAS
#define SHIFTED16(v, i) ((v) + ROW16(f32, bias, i, bias_step))
#define SHIFTED1(v, i) ((v) + load_f32(bias + (i) * bias_step))
#else
#define SHIFTED16(v, i) (v)
#define SHIFTED1(v, i) (v)
#endif

kernel void norm(OUT(y), IN(x), IN(weight), IN(bias), IN(residual), OUT(sum), const int8 extents, const long8 y_steps, const long8 x_steps,
                 const long8 residual_steps, const long8 sum_steps, const int n, const long y_step, const long x_step, const long weight_step,
                 const long bias_step, const long residual_step, const long sum_step, const float epsilon, const float weight_offset) {
  GROUP_MEMORY
  const uint index = get_group_id(0);
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *weight = AT(weight), *bias = AT(bias);
#if IS_SUM
  global uchar *x = AT(sum) + offset_of(index, extents, sum_steps);
  {
    global const uchar *first = AT(x) + offset_of(index, extents, x_steps), *second = AT(residual) + offset_of(index, extents, residual_steps);
    FOR_RUNS(i, n) PUT16(X, x, i, sum_step, ROW16(X, first, i, x_step) + ROW16(X, second, i, residual_step));
    FOR_REST(j, n) STORE(X)(x + j * sum_step, LOAD(X)(first + j * x_step) + LOAD(X)(second + j * residual_step));
    if (GROUP > 1) barrier(CLK_GLOBAL_MEM_FENCE);
  }
  const long step = sum_step;
#else
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
  const long step = x_step;
#endif
  float mean = 0;
#if IS_LAYER
  {
    float16 all = 0;
    float rest = 0;
    FOR_RUNS(i, n) all += ROW16(X, x, i, step);
    FOR_REST(j, n) rest += LOAD(X)(x + j * step);
    mean = GROUP_SUM(sum16(all) + rest) / n;
  }
#endif
  float16 squares = 0;
  float rest = 0;
  FOR_RUNS(i, n) { float16 v = ROW16(X, x, i, step) - mean; squares = fma(v, v, squares); }
  FOR_REST(j, n) { float v = LOAD(X)(x + j * step) - mean; rest = fma(v, v, rest); }
  const float variance = GROUP_SUM(sum16(squares) + rest) / n;
  const float factor = 1 / sqrt(variance + epsilon);
  FOR_RUNS(k, n) { float16 v = (ROW16(X, x, k, step) - mean) * factor; PUT16(X, y, k, y_step, SHIFTED16(SCALED16(v, k), k)); }
  FOR_REST(l, n) { float v = (LOAD(X)(x + l * step) - mean) * factor; STORE(X)(y + l * y_step, SHIFTED1(SCALED1(v, l), l)); }
}
