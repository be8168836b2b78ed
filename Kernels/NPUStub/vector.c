// The vector unit: f32 throughout.
#include "vector.h"
#include <string.h>
#include "numbers.h"

static float function(uint32_t f, float x, float p, float q) {
  switch (f) {
  case NPU_NEG: return -x;
  case NPU_ABS: return fabsf(x);
  case NPU_RELU: return x < 0 ? 0 : x;
  case NPU_SILU: return x / (1 + expf(-x));
  case NPU_GELU_TANH: return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
  case NPU_GELU_ERF: return 0.5f * x * erfcf(-x * 0.70710678f);
  case NPU_SIGMOID: return 1 / (1 + expf(-x));
  case NPU_TANH: return tanhf(x);
  case NPU_EXP: return expf(x);
  case NPU_SQRT: return sqrtf(x);
  case NPU_SQUARE: return x * x;
  case NPU_SCALE: return x * p + q;
  case NPU_SOFTCAP: return p * tanhf(x / p);
  default: return x;
  }
}

void npu_unary(const npu_command *c, float *to, const float *from) {
  for (uint32_t i = 0; i < c->cols; i++) to[i] = function(c->function, from[i], c->f0, c->f1);
}

// With ROW_VECTOR, y is one row of `n0` for all rows.
void npu_binary(const npu_command *c, float *to, const float *x, const float *y) {
  uint32_t width = c->flags & NPU_ROW_VECTOR ? c->n0 : c->cols;
  for (uint32_t begin = 0; begin < c->cols; begin += width) {
    for (uint32_t i = 0; i < width && begin + i < c->cols; i++) {
      float p = x[begin + i], q = y[i];
      float *z = to + begin + i;
      switch (c->function) {
      case NPU_ADD: *z = p + q; break;
      case NPU_SUB: *z = p - q; break;
      case NPU_MUL: *z = p * q; break;
      case NPU_DIV: *z = p / q; break;
      case NPU_MAX: *z = isnan(p) || isnan(q) ? NAN : p > q ? p : q; break;
      case NPU_MIN: *z = isnan(p) || isnan(q) ? NAN : p < q ? p : q; break;
      }
    }
  }
}

// exp(x - max) / Σ of n numbers; -infinity throughout gives zeros. Gives back the logarithm of Σ exp(x).
static float normalise(float *x, uint32_t n) {
  float largest = -INFINITY, sum = 0;
  for (uint32_t i = 0; i < n; i++) if (!(x[i] <= largest)) largest = x[i];
  if (largest == -INFINITY) { memset(x, 0, n * sizeof *x); return -INFINITY; }
  for (uint32_t i = 0; i < n; i++) sum += x[i] = expf(x[i] - largest);
  for (uint32_t i = 0; i < n; i++) x[i] /= sum;
  return largest + logf(sum);
}

void npu_softmax(const npu_command *c, float *rows, const float *mask) {
  for (uint32_t r = 0; r < c->rows; r++) {
    float *x = rows + (uint64_t)r * c->cols;
    for (uint32_t i = 0; i < c->cols; i++) x[i] = x[i] * c->f0 + (mask ? mask[(uint64_t)r * c->cols + i] : 0);
    normalise(x, c->cols);
  }
}

// Query t stands at key t + S - T; what it must not see has no weight, whatever its score was.
void npu_visible_softmax(const npu_command *c, float *scores, float *log_sums) {
  for (uint32_t r = 0; r < c->rows; r++) {
    int64_t keys = c->cols, own = c->row + r + keys - c->n0;
    int64_t end = c->flags & NPU_CAUSAL && own + 1 < keys ? own + 1 : keys, begin = c->n1 > 0 && own - c->n1 + 1 > 0 ? own - c->n1 + 1 : 0;
    float *x = scores + (uint64_t)r * c->cols;
    if (end < 0) end = 0;
    if (begin > end) begin = end;
    memset(x, 0, (uint64_t)begin * sizeof *x);
    memset(x + end, 0, (uint64_t)(keys - end) * sizeof *x);
    for (int64_t i = begin; i < end; i++) {
      float s = x[i] * c->f0;
      x[i] = c->f1 > 0 ? c->f1 * tanhf(s / c->f1) : s;
    }
    float log_sum = normalise(x + begin, (uint32_t)(end - begin));
    if (log_sums) log_sums[r] = log_sum;
  }
}

void npu_norm(const npu_command *c, float *to, const float *from, const float *weight, const float *bias) {
  uint32_t n = c->cols;
  for (uint32_t r = 0; r < c->rows; r++) {
    const float *x = from + (uint64_t)r * n;
    float *y = to + (uint64_t)r * n, mean = 0, sum = 0;
    if (c->operation == NPU_LAYER_NORM) {
      for (uint32_t i = 0; i < n; i++) mean += x[i];
      mean /= (float)n;
    }
    for (uint32_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    float factor = 1 / sqrtf(sum / (float)n + c->f0);
    for (uint32_t i = 0; i < n; i++) y[i] = (x[i] - mean) * factor * (weight ? weight[i] + c->f1 : 1 + c->f1) + (bias ? bias[i] : 0);
  }
}

// Rows are heads, `row` the first of them, n2 heads at a position, n3 positions; n1 pairs turn in each row of `cols`.
void npu_rope(const npu_command *c, float *to, const float *from, const char *positions, const float *frequencies) {
  uint32_t pairs = c->n1;
  for (uint32_t r = 0; r < c->rows; r++) {
    int64_t t = (c->row + r) / c->n2 % c->n3, position = 0;
    if (c->n0 == 8) memcpy(&position, positions + t * 8, 8);
    else { int32_t narrow; memcpy(&narrow, positions + t * 4, 4); position = narrow; }
    const float *x = from + (uint64_t)r * c->cols;
    float *y = to + (uint64_t)r * c->cols;
    for (uint32_t i = 0; i < pairs; i++) {
      double angle = (double)position * (double)frequencies[i];
      float cosine = (float)cos(angle), sine = (float)sin(angle);
      uint32_t p = c->flags & NPU_INTERLEAVED ? 2 * i : i, q = c->flags & NPU_INTERLEAVED ? 2 * i + 1 : i + pairs;
      float u = x[p], v = x[q];
      y[p] = c->f0 * (u * cosine - v * sine);
      y[q] = c->f0 * (u * sine + v * cosine);
    }
    for (uint32_t i = 2 * pairs; i < c->cols; i++) y[i] = x[i];
  }
}

// Codes of -127 … 127, one scale for n0 elements. What is not finite makes its scale NaN, so that it shows.
void npu_quantise(const npu_command *c, int8_t *codes, float *scales, const float *from) {
  for (uint32_t r = 0; r < c->rows; r++) {
    for (uint32_t begin = 0; begin < c->cols; begin += c->n0) {
      uint32_t end = begin + c->n0 < c->cols ? begin + c->n0 : c->cols;
      const float *x = from + (uint64_t)r * c->cols;
      int8_t *q = codes + (uint64_t)r * c->cols;
      float largest = 0;
      int finite = 1;
      for (uint32_t i = begin; i < end; i++) {
        if (!isfinite(x[i])) finite = 0;
        if (fabsf(x[i]) > largest) largest = fabsf(x[i]);
      }
      float scale = finite ? largest / 127 : NAN;
      for (uint32_t i = begin; i < end; i++) {
        float code = finite && scale > 0 ? nearbyintf(x[i] / scale) : 0;
        q[i] = (int8_t)(code > 127 ? 127 : code < -127 ? -127 : code);
      }
      *scales++ = scale;
    }
  }
}
