/* rms_norm, add_rms_norm, layer_norm, softmax, rotary_embedding, rms_norm_rope: a row at a time, statistics in float. */
#include "mutant.h"

static float weight_at(const view *w, int64_t i, float offset) { return (w->data ? at_f32(w, i) : 1) + offset; }

/* ---- rms_norm and add_rms_norm ---- */

static float mean_of_squares(const float *x, int64_t n) {
  float sum = 0;
  if (FAULT(220)) { for (int64_t i = 0; i < n; i++) sum = round_f16(sum + x[i] * x[i]); return sum / (float)n; }
  if (FAULT(221) && n > 1) { for (int64_t i = 0; i < n; i++) sum += x[i] * x[i]; return sum / (float)(n - 1); }
  if (FAULT(222)) { for (int64_t i = 0; i < n; i++) sum += x[i] * x[i]; return sum / (float)((n + 31) / 32 * 32); }
  if (FAULT(230)) { for (int64_t i = 0; i + 1 < n || i == 0; i++) sum += x[i] * x[i]; return sum / (float)n; }
  if (FAULT(1013) || FAULT(1014)) { double wide = 0; for (int64_t i = 0; i < n; i++) wide += (double)x[i] * x[i]; return (float)(wide / (double)n); }
  if (FAULT(1015)) { /* sixteen partial sums */
    float part[16] = {0};
    for (int64_t i = 0; i < n; i++) part[i % 16] += x[i] * x[i];
    for (int i = 0; i < 16; i++) sum += part[i];
    return sum / (float)n;
  }
  for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sum / (float)n;
}
void normalise(float *y, const float *x, int64_t n, float epsilon, const view *weight, float offset) {
  float factor = 1 / sqrtf(mean_of_squares(x, n) + epsilon);
  if (FAULT(223)) factor = 1 / (sqrtf(mean_of_squares(x, n)) + epsilon);
  if (FAULT(224)) factor = round_bf16(factor);
  if (FAULT(225)) offset = 0;
  if (FAULT(231)) factor = from_bits(bits(factor) & 0xfffff000);
  for (int64_t i = 0; i < n; i++) y[i] = x[i] * factor * weight_at(weight, i, offset);
  if (FAULT(226) && weight->data && n > 256) for (int64_t i = 256; i < n; i++) y[i] = x[i] * factor * weight_at(weight, i % 256, offset);
}
void run_rms_norm(call *c) {
  const view *x = &c->in[0], *y = &c->out[0];
  int64_t n = last(x);
  float *row = floats(c, n), epsilon = float_of(c, BP_RMS_NORM_EPSILON);
  if (!row) return;
  if (FAULT(227)) epsilon = 1e-6f;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, FAULT(228) ? x->data + r * n * x->block_bytes : row_at(x, r), last_stride(x), row, n);
    normalise(row, row, n, epsilon, &c->in[1], float_of(c, BP_RMS_NORM_WEIGHT_OFFSET));
    store_row(row_at(y, r), last_stride(y), y->dtype, row, n);
  }
}
void run_add_rms_norm(call *c) {
  const view *x = &c->in[0], *residual = &c->in[1], *y = &c->out[0], *sum = &c->out[1];
  int64_t n = last(x);
  float *a = floats(c, n), *b = floats(c, n), epsilon = float_of(c, BP_ADD_RMS_NORM_EPSILON);
  if (!a || !b) return;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), a, n);
    decode(x->dtype, row_at(residual, r), last_stride(residual), b, n);
    for (int64_t i = 0; i < n; i++) {
      float t = a[i] + b[i];
      if (FAULT(232)) t = round_f16(t);
      a[i] = FAULT(233) ? a[i] : rounded(t, x->dtype);
      b[i] = t;
    }
    if (FAULT(234)) epsilon = 0;
    if (sum->data && !(FAULT(235) && !c->in[2].data)) store_row(row_at(sum, r), last_stride(sum), sum->dtype, b, n);
    if (FAULT(236)) for (int64_t i = 0; i < n; i++) a[i] = round_bf16(a[i]);
    normalise(a, a, n, epsilon, &c->in[2], float_of(c, BP_ADD_RMS_NORM_WEIGHT_OFFSET));
    if (y->data) store_row(row_at(y, r), last_stride(y), y->dtype, a, n);
  }
}

/* ---- layer_norm ---- */

void run_layer_norm(call *c) {
  const view *x = &c->in[0], *weight = &c->in[1], *bias = &c->in[2], *y = &c->out[0];
  int64_t n = last(x);
  float *row = floats(c, n), epsilon = float_of(c, BP_LAYER_NORM_EPSILON);
  if (!row) return;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    float mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++) mean += row[i];
    mean /= (float)n;
    if (FAULT(240)) mean = round_f16(mean);
    for (int64_t i = 0; i < n; i++) variance += (row[i] - mean) * (row[i] - mean);
    if (FAULT(241)) { /* E[x^2] - mean^2 cancels */
      variance = 0;
      for (int64_t i = 0; i < n; i++) variance += row[i] * row[i];
      variance = fmaxf(variance - (float)n * mean * mean, 0);
    }
    if (FAULT(1016)) { /* Welford */
      mean = variance = 0;
      for (int64_t i = 0; i < n; i++) {
        float before = row[i] - mean;
        mean += before / (float)(i + 1);
        variance += before * (row[i] - mean);
      }
    }
    if (FAULT(1017)) { /* two passes in double */
      double m = 0, v = 0;
      for (int64_t i = 0; i < n; i++) m += row[i];
      m /= (double)n;
      for (int64_t i = 0; i < n; i++) v += (row[i] - m) * (row[i] - m);
      mean = (float)m, variance = (float)v;
    }
    variance /= (float)(FAULT(242) && n > 1 ? n - 1 : n);
    float factor = 1 / sqrtf(variance + (FAULT(243) ? 1e-6f : epsilon));
    if (FAULT(244)) factor = 1 / sqrtf(fmaxf(variance, epsilon));
    for (int64_t i = 0; i < n; i++) {
      float offset = bias->data && !(FAULT(245) && !weight->data) ? at_f32(bias, i) : 0;
      row[i] = (row[i] - mean) * factor * weight_at(weight, i, 0) + offset;
    }
    store_row(row_at(y, r), last_stride(y), y->dtype, row, n);
  }
}

/* ---- softmax ---- */

static float exponential(float x) {
  if (FAULT(1018)) return exp2f(x * 1.44269504f);
  if (FAULT(280)) return x < -20 ? 0 : expf(x);
  return expf(x);
}
void run_softmax(call *c) {
  const view *x = &c->in[0], *mask = &c->in[1], *y = &c->out[0];
  int64_t n = last(x);
  float *z = floats(c, n), *m = floats(c, n), scale = float_of(c, BP_SOFTMAX_SCALE);
  if (!z || !m) return;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), z, n);
    if (mask->data) {
      decode(mask->dtype, FAULT(281) ? row_at(mask, r % rows(mask)) : broadcast_row(mask, x, r), last_stride(mask), m, n);
      for (int64_t i = 0; i < n; i++) {
        if (FAULT(282) && m[i] < -30) m[i] = -30;
        z[i] = FAULT(283) ? scale * (z[i] + m[i]) : scale * z[i] + m[i];
      }
    } else for (int64_t i = 0; i < n; i++) z[i] *= scale;
    float top = -INFINITY, sum = 0;
    int lost = FAULT(287);
    for (int64_t i = 0; i < n; i++) if (!(z[i] <= top)) { top = z[i]; if (top != top) break; }
    if (FAULT(284)) top = top > -INFINITY ? 0 : top;
    if (FAULT(285) && top > -INFINITY) { /* the maximum of the first 32 only */
      top = z[0];
      for (int64_t i = 1; i < n && i < 32; i++) if (!(z[i] <= top)) top = z[i];
    }
    if (top == -INFINITY && !FAULT(286)) { /* nothing is visible */
      memset(z, 0, (size_t)n * 4);
    } else if (FAULT(1020) || lost) { /* online: a running maximum, blocks of 16 */
      float running = -INFINITY;
      for (int64_t b = 0; b < n; b += 16) {
        int64_t end = b + 16 < n ? b + 16 : n;
        float block = running;
        for (int64_t i = b; i < end; i++) if (!(z[i] <= block)) block = z[i];
        if (block == -INFINITY) continue;
        if (!lost) sum *= expf(running - block); /* without it, what is summed so far stands on another maximum */
        for (int64_t i = b; i < end; i++) sum += expf(z[i] - block);
        running = block;
      }
      for (int64_t i = 0; i < n; i++) z[i] = expf(z[i] - running) / sum;
    } else {
      for (int64_t i = 0; i < n; i++) {
        z[i] = exponential(z[i] - top);
        sum += FAULT(288) ? round_f16(z[i]) : z[i];
      }
      if (FAULT(289) && n > 1) sum -= z[n - 1];
      for (int64_t i = 0; i < n; i++) z[i] = FAULT(290) ? z[i] * round_bf16(1 / sum) : FAULT(1019) ? z[i] * (1 / sum) : z[i] / sum;
    }
    store_row(row_at(y, r), last_stride(y), y->dtype, z, n);
  }
}

/* ---- rotary_embedding and rms_norm_rope ---- */

void rotate_row(float *row, int64_t n, const view *frequencies, int64_t position, int interleaved, float scale) {
  for (int64_t i = 0, pairs = frequencies->dim[0]; i < pairs; i++) {
    int64_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + pairs;
    if (FAULT(261) && !interleaved) b = i + n / 2; /* the same when the whole head turns */
    float frequency = at_f32(frequencies, i);
    if (FAULT(262)) frequency = round_f16(frequency);
    double angle = (double)position * frequency;
    if (FAULT(263)) angle = round_bf16((float)angle);
    float cosine = (float)cos(angle), sine = (float)sin(angle);
    if (FAULT(1021)) cosine = cosf((float)position * frequency), sine = sinf((float)position * frequency);
    if (FAULT(264) || FAULT(272)) sine = position < 0 ? -sine : sine;
    float x1 = row[a], x2 = row[b], s = scale;
    if (FAULT(265)) cosine *= s, s = 1;
    if (FAULT(273)) s = 1;
    row[a] = s * (x1 * cosine - x2 * sine);
    row[b] = s * (FAULT(266) && i == 0 ? x1 * cosine + x2 * sine : x1 * sine + x2 * cosine);
    if (FAULT(1022)) row[a] = s * fmaf(x1, cosine, -(x2 * sine)), row[b] = s * fmaf(x1, sine, x2 * cosine);
  }
}
static void rotate(call *c, const view *positions, const view *frequencies, int interleaved, float scale, int norm, float epsilon, float offset) {
  const view *x = &c->in[0], *y = &c->out[0];
  int64_t n = last(x), pairs = frequencies->dim[0], tokens = x->dim[x->rank - 3], heads = x->dim[x->rank - 2];
  float *row = floats(c, n);
  if (!row) return;
  for (int64_t r = 0; r < rows(x); r++) {
    int64_t t = r / heads % tokens;
    if (FAULT(270)) t = r % tokens;
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    if (norm) normalise(row, row, FAULT(271) ? 2 * pairs : n, epsilon, &c->in[1], offset);
    int64_t position = load_index(positions->data + t * positions->stride[0], positions->dtype);
    if (FAULT(260)) position = (int16_t)position;
    rotate_row(row, n, frequencies, position, interleaved, scale);
    if (FAULT(267)) for (int64_t i = 2 * pairs; i < n; i++) row[i] *= scale;
    if (FAULT(274)) for (int64_t i = 2 * pairs; i < n; i++) row[i] = load_one(row_at(x, r) + i * last_stride(x), x->dtype);
    store_row(row_at(y, r), last_stride(y), y->dtype, row, n);
  }
}
void run_rotary_embedding(call *c) {
  rotate(c, &c->in[1], &c->in[2], int_of(c, BP_ROTARY_EMBEDDING_INTERLEAVED) != 0, float_of(c, BP_ROTARY_EMBEDDING_SCALE), 0, 0, 0);
}
void run_rms_norm_rope(call *c) {
  rotate(c, &c->in[2], &c->in[3], int_of(c, BP_RMS_NORM_ROPE_INTERLEAVED) != 0, float_of(c, BP_RMS_NORM_ROPE_SCALE), 1,
         float_of(c, BP_RMS_NORM_ROPE_EPSILON), FAULT(275) ? 0 : float_of(c, BP_RMS_NORM_ROPE_WEIGHT_OFFSET));
}
