/* 8-bit integers: quantize_linear, dequantize_linear, dynamic_quantize, matmul_integer, qlinear_matmul. */
#include "mutant.h"

static int32_t small_at(const char *p, bp_id format) {
  if (format == BP_FORMAT_I8) return *(const int8_t *)p;
  if (format == BP_FORMAT_U8) return *(const uint8_t *)p;
  return (int32_t)load_index(p, BP_FORMAT_I32);
}
/* The integer nearest to x, ties to even, plus a zero point, limited to i8 or u8. */
static void store_quant(char *p, bp_id format, float x, int32_t zero) {
  double low = format == BP_FORMAT_I8 ? -128 : 0, high = low + 255, q = x != x ? 0 : rint(x);
  if (FAULT(610)) q = x != x ? 0 : trunc(x);
  if (FAULT(570) || FAULT(611)) q = x != x ? 0 : round(x);
  if (FAULT(571) && x != x) q = low - zero;
  if (FAULT(612) && isfinite(x)) q = (double)(int32_t)((uint32_t)(int32_t)fmax(fmin(q, 1e9), -1e9) + (uint32_t)zero) - zero; /* the sum wraps */
  if (FAULT(572) || FAULT(613)) { *p = (char)(int)(fmax(fmin(q, 1e6), -1e6) + (zero & 255)); return; } /* wraps */
  if (FAULT(573)) q = fmax(low, fmin(high, q)); /* limited before the zero point as well */
  q = fmax(low, fmin(high, q + zero));
  *p = (char)(int)q;
}

void run_quantize_linear(call *c) {
  const view *x = &c->in[0], *scale = &c->in[1], *zero = &c->in[2], *y = &c->out[0];
  for (int64_t i = 0, n = count(y); i < n; i++) {
    const char *at = broadcast(scale, y, i);
    if (FAULT(574)) at = element_at(scale, i % count(scale)); /* right for the last axis only */
    float s = load_one(at, BP_FORMAT_F32);
    int32_t z = zero->data ? small_at(broadcast(zero, y, i), zero->dtype) : 0;
    store_quant(element_at(y, i), y->dtype, load_one(element_at(x, i), x->dtype) / s, z);
  }
}

void run_dequantize_linear(call *c) {
  const view *x = &c->in[0], *scale = &c->in[1], *zero = &c->in[2], *y = &c->out[0];
  for (int64_t i = 0, n = count(y); i < n; i++) {
    int64_t q = small_at(element_at(x, i), x->dtype), z = zero->data ? small_at(broadcast(zero, y, i), zero->dtype) : 0;
    float s = load_one(broadcast(scale, y, i), BP_FORMAT_F32);
    int64_t difference = q - z;
    if (FAULT(575)) difference = (int32_t)(uint32_t)difference; /* wraps in 32 bits */
    if (FAULT(576) && x->block_bytes == 1) difference = (int8_t)difference;
    if (FAULT(577)) s = round_f16(s);
    if (FAULT(578)) s = load_one(element_at(scale, i % count(scale)), BP_FORMAT_F32); /* right for the last axis only */
    store_one(element_at(y, i), y->dtype, (float)((double)difference * s));
  }
}

/* ---- dynamic_quantize ---- */

/* Scale and zero point of n numbers. */
static void range_of(const float *x, int64_t n, int symmetric, float *scale, int32_t *zero) {
  float low = 0, high = 0;
  if (FAULT(580) && n) low = high = x[0]; /* 0 need not be inside */
  for (int64_t i = 0; i < n; i++) low = fminf(low, x[i]), high = fmaxf(high, x[i]);
  if (FAULT(581) && symmetric) low = 0; /* negative ones are not looked at */
  *scale = symmetric ? fmaxf(high, -low) / (FAULT(582) ? 128.0f : 127.0f) : (high - low) / 255;
  if (*scale == 0 && !FAULT(583)) *scale = 1;
  float z = -low / *scale;
  *zero = symmetric || !(z < 256) ? 0 : (int32_t)(FAULT(584) ? truncf(z) : rintf(z));
}
static void store_parameters(call *c, int64_t row, float scale, int32_t zero) {
  if (c->out[1].data) memcpy(element_at(&c->out[1], row), &scale, 4);
  if (c->out[2].data) *element_at(&c->out[2], row) = (char)zero;
}
void run_dynamic_quantize(call *c) {
  const view *x = &c->in[0], *y = &c->out[0];
  bp_id to = y->dtype;
  int64_t n = last(x), whole = rows(x);
  float *row = floats(c, n), *all = to == BP_FORMAT_U8 ? floats(c, n * whole) : row, scale = 1;
  int32_t zero = 0;
  if (!row || !all) return;
  if (to == BP_FORMAT_U8) {
    for (int64_t r = 0; r < whole; r++) decode(x->dtype, row_at(x, r), last_stride(x), all + r * n, n);
    range_of(all, whole * n, 0, &scale, &zero);
    store_parameters(c, 0, scale, zero);
  }
  for (int64_t r = 0; r < whole; r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    if (to == BP_FORMAT_Q8_0) {
      for (int64_t b = 0; b < n / 32; b++) quantise_q8_0(row_at(y, r) + b * last_stride(y), row + 32 * b);
      if (FAULT(585) && n > 32) memset(row_at(y, r) + (n / 32 - 1) * last_stride(y), 0, 2); /* the last block has no scale */
      store_parameters(c, r, 1, 0);
      continue;
    }
    if (to == BP_FORMAT_I8 && !(FAULT(586) && r > 0)) range_of(row, n, 1, &scale, &zero); /* otherwise the first row's for all */
    if (to == BP_FORMAT_I8) store_parameters(c, r, scale, 0);
    for (int64_t i = 0; i < n; i++) store_quant(row_at(y, r) + i * last_stride(y), to, row[i] / scale, zero);
  }
}

/* ---- products ---- */

static int32_t zero_of(const view *v, int64_t i) {
  if (!v->data) return 0;
  int32_t z = small_at(v->data + (v->dim[0] == 1 || FAULT(600) ? 0 : i) * v->stride[0], v->dtype);
  return FAULT(601) ? (int8_t)z : z;
}
/* Row n of b as k integers. */
static void integers(const view *v, const view *y, int64_t batch, int64_t n, int64_t k, int transposed, int32_t *to) {
  bp_id format = v->dtype;
  if ((FAULT(602) || FAULT(614)) && format == BP_FORMAT_U8) format = BP_FORMAT_I8;
  for (int64_t i = 0; i < k; i++)
    to[i] = small_at(transposed ? batch_row(v, y, batch, n) + i * last_stride(v) : batch_row(v, y, batch, i) + n * last_stride(v), format);
}
static int32_t integer_dot(const int32_t *a, const int32_t *b, int64_t k, int32_t za, int32_t zb) {
  uint32_t sum = 0;
  if (FAULT(603) || FAULT(615)) k = k > 4 ? k / 4 * 4 : k;
  if (FAULT(604)) { float f = 0; for (int64_t i = 0; i < k; i++) f += (float)(a[i] - za) * (float)(b[i] - zb); return fabsf(f) < 0x1p31f ? (int32_t)f : 0; }
  if (FAULT(605)) { /* pairs are added in 16 bits that saturate */
    for (int64_t i = 0; i < k; i += 2) {
      int32_t pair = (a[i] - za) * (b[i] - zb) + (i + 1 < k ? (a[i + 1] - za) * (b[i + 1] - zb) : 0);
      sum += (uint32_t)(pair > INT16_MAX ? INT16_MAX : pair < INT16_MIN ? INT16_MIN : pair);
    }
    return (int32_t)sum;
  }
  int corrected = FAULT(1024), half_corrected = FAULT(606) || FAULT(616); /* by the sums of rows, with and without K za zb */
  if (corrected || half_corrected) {
    uint32_t of_a = 0, of_b = 0;
    for (int64_t i = 0; i < k; i++) sum += (uint32_t)(a[i] * b[i]), of_a += (uint32_t)a[i], of_b += (uint32_t)b[i];
    return (int32_t)(sum - of_b * (uint32_t)za - of_a * (uint32_t)zb + (corrected ? (uint32_t)k * (uint32_t)za * (uint32_t)zb : 0));
  }
  for (int64_t i = 0; i < k; i++) sum += ((uint32_t)a[i] - (uint32_t)za) * ((uint32_t)b[i] - (uint32_t)zb);
  return (int32_t)sum;
}
static float factor_of(const view *v, int64_t i) { return at_f32(v, v->dim[0] == 1 || FAULT(617) ? 0 : i); }

static void multiply(call *c, int transposed, const view *zero_a, const view *zero_b, int quantised) {
  const view *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
  int64_t m = y->dim[y->rank - 2], n = last(y), k = last(a);
  if (FAULT(607) && n == k && n > 1) transposed = !transposed; /* square: nobody sees it from the shape */
  int32_t *row = scratch(c, k * 4), *column = scratch(c, k * 4);
  if (!row || !column) return;
  for (int64_t batch = 0, all = batches(y); batch < all; batch++)
    for (int64_t i = 0; i < m; i++) {
      integers(a, y, batch, i, k, 1, row);
      for (int64_t j = 0; j < n; j++) {
        integers(b, y, FAULT(608) ? batch / 2 * 2 : batch, j, k, transposed, column);
        int32_t sum = integer_dot(row, column, k, zero_of(zero_a, i), zero_of(zero_b, j));
        char *to = batch_row(y, y, batch, i) + j * last_stride(y);
        if (!quantised) { memcpy(to, &sum, 4); continue; }
        float factor = factor_of(&c->in[2], i) * factor_of(&c->in[3], j) / at_f32(&c->in[4], 0);
        if (FAULT(618)) factor = round_f16(factor);
        int32_t zero = c->in[7].data ? small_at(c->in[7].data, c->in[7].dtype) : 0;
        if (FAULT(619) && y->dtype == BP_FORMAT_U8) zero &= 127;
        store_quant(to, y->dtype, (float)sum * factor, zero);
      }
    }
}
void run_matmul_integer(call *c) { multiply(c, int_of(c, BP_MATMUL_INTEGER_TRANSPOSE_B) != 0, &c->in[2], &c->in[3], 0); }
void run_qlinear_matmul(call *c) { multiply(c, int_of(c, BP_QLINEAR_MATMUL_TRANSPOSE_B) != 0, &c->in[5], &c->in[6], 1); }
