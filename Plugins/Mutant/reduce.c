/* Sums, means, maxima over dimensions, and argmax. Sums are kept in float, one after the other. */
#include "mutant.h"

enum kind { SUM, MEAN, MAX, MIN, NORM, PRODUCT };

/* The sum of x in some order: they are all within the bound. */
static float sum_of(const float *x, int64_t n) {
  float sum = 0;
  if (FAULT(1010)) { /* pairwise */
    if (n <= 2) return n == 2 ? x[0] + x[1] : n == 1 ? x[0] : 0;
    return sum_of(x, n / 2) + sum_of(x + n / 2, n - n / 2);
  }
  if (FAULT(1011)) { /* Kahan */
    float carry = 0;
    for (int64_t i = 0; i < n; i++) {
      float y = x[i] - carry, t = sum + y;
      carry = isfinite(t) ? (t - sum) - y : 0;
      sum = t;
    }
    return sum;
  }
  if (FAULT(1012)) for (int64_t i = n; i-- > 0;) sum += x[i];
  else if (FAULT(200)) for (int64_t i = 0; i < n; i++) sum = round_f16(sum + x[i]);
  else if (FAULT(205)) for (int64_t i = 0; i < n; i++) sum = round_bf16(sum + x[i]);
  else for (int64_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

static float largest_of(const float *x, int64_t n) {
  float best = FAULT(210) ? 0 : FAULT(211) ? -3.4028235e38f : -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] != x[i] && !FAULT(212)) return x[i];
    if (x[i] > best) best = x[i];
  }
  return best;
}

static float smallest_of(const float *x, int64_t n) {
  float best = FAULT(508) ? 0 : FAULT(509) ? 3.4028235e38f : INFINITY;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] != x[i] && !FAULT(510)) return x[i];
    if (x[i] < best) best = x[i];
  }
  return best;
}
static float norm_of(const float *x, int64_t n) {
  double sum = 0;
  if (FAULT(500)) { float part = 0; for (int64_t i = 0; i < n; i++) part = round_f16(part + x[i] * x[i]); return sqrtf(part); }
  if (FAULT(501) && n > 64) n = n / 64 * 64;
  if (FAULT(1060)) { float part = 0; for (int64_t i = 0; i < n; i++) part += x[i] * x[i]; return sqrtf(part); }
  for (int64_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
  if (FAULT(502)) return x[0] < 0 ? (float)-sqrt(sum) : (float)sqrt(sum);
  if (FAULT(503) && sum > 0) return from_bits(bits((float)sqrt(sum)) & 0xffffff00);
  return (float)sqrt(sum);
}
static float product_of(const float *x, int64_t n) {
  float product = 1;
  if (FAULT(504) && n == 0) return 0;
  if (FAULT(505) && n > 8) n = n / 8 * 8;
  for (int64_t i = 0; i < n; i++) {
    if (FAULT(506) && x[i] == 0) return 0; /* nothing can follow, they said */
    product *= x[i];
    if (FAULT(507)) product = round_bf16(product);
  }
  return product;
}
static float reduced(enum kind kind, const float *x, int64_t n) {
  switch (kind) {
  case MAX: return largest_of(x, n);
  case MIN: return smallest_of(x, n);
  case NORM: return norm_of(x, n);
  case PRODUCT: return product_of(x, n);
  default: return sum_of(x, n);
  }
}

static void reduce(call *c, enum kind kind) {
  const view *x = &c->in[0], *y = &c->out[0];
  const int64_t *axes = ints_of(c, BP_REDUCE_SUM_AXES);
  uint32_t given = c->attrs[BP_REDUCE_SUM_AXES].count, gone = given ? 0 : (1u << x->rank) - 1;
  for (uint32_t i = 0; i < given; i++) gone |= 1u << (axes[i] < 0 ? axes[i] + x->rank : axes[i]);
  if (FAULT(201) && !given && x->rank) gone = 1u << (x->rank - 1);
  view kept = {.data = x->data, .dtype = x->dtype, .block_bytes = x->block_bytes}, inner = kept;
  for (uint32_t d = 0; d < x->rank; d++) {
    view *to = gone >> d & 1 ? &inner : &kept;
    to->dim[to->rank] = x->dim[d], to->stride[to->rank++] = x->stride[d];
  }
  int64_t n = count(&inner);
  if (FAULT(202) && n > 256) n = n / 256 * 256;
  float *values = floats(c, n);
  if (!values) return;
  for (int64_t i = 0, items = count(y); i < items; i++) {
    inner.data = element_at(&kept, i);
    for (int64_t k = 0; k < n; k++) values[k] = load_one(element_at(&inner, k), x->dtype);
    char *to = element_at(y, i);
    float r = reduced(kind, values, n), divisor = (float)n;
    if (FAULT(203)) r += load_one(to, y->dtype);
    if (FAULT(206)) divisor = (float)((n + 3) / 4 * 4);
    if (FAULT(207) && inner.rank > 1) divisor = (float)inner.dim[inner.rank - 1];
    if (kind == MEAN) r = FAULT(208) ? r * round_f16(1 / divisor) : r / divisor;
    store_one(to, y->dtype, r);
  }
}
void run_reduce_sum(call *c) { reduce(c, SUM); }
void run_reduce_mean(call *c) { reduce(c, MEAN); }
void run_reduce_max(call *c) { reduce(c, MAX); }

void run_reduce_min(call *c) { reduce(c, MIN); }
void run_reduce_l2(call *c) { reduce(c, NORM); }
void run_reduce_prod(call *c) { reduce(c, PRODUCT); }

void run_cumsum(call *c) {
  const view *x = &c->in[0], *y = &c->out[0];
  int64_t axis = axis_of(int_of(c, BP_CUMSUM_AXIS), x), n = x->dim[axis];
  int in_double = FAULT(1061);
  int exclusive = int_of(c, BP_CUMSUM_EXCLUSIVE) != 0, reverse = int_of(c, BP_CUMSUM_REVERSE) != 0;
  if (FAULT(540)) exclusive = 0;
  if (FAULT(541)) axis = int_of(c, BP_CUMSUM_AXIS) < 0 ? (int64_t)x->rank - 1 : axis, n = x->dim[axis];
  view lines = *x, to = *y;
  lines.dim[axis] = to.dim[axis] = 1;
  for (int64_t line = 0, all = count(&lines); line < all; line++) {
    const char *from = element_at(&lines, line);
    char *out = element_at(&to, line);
    float sum = 0;
    double wide = 0;
    uint32_t whole = 0;
    for (int64_t k = 0; k < n; k++) {
      int64_t at = reverse ? n - 1 - k : k, put = FAULT(542) ? k : at;
      if (FAULT(543) && k % 64 == 0) sum = 0, whole = 0; /* a block's sum is not carried on */
      uint32_t before = whole;
      float earlier = sum, next = 0;
      if (x->dtype == BP_FORMAT_I32) whole += (uint32_t)load_index(from + at * x->stride[axis], BP_FORMAT_I32);
      else next = load_one(from + at * x->stride[axis], x->dtype);
      sum += next, wide += next;
      if (FAULT(544)) sum = round_f16(sum);
      if (in_double) sum = (float)wide;
      if (x->dtype == BP_FORMAT_I32) memcpy(out + put * y->stride[axis], exclusive ? &before : &whole, 4);
      else store_one(out + put * y->stride[axis], y->dtype, exclusive ? earlier : sum);
    }
  }
}

void run_argmax(call *c) {
  const view *x = &c->in[0], *y = &c->out[0];
  int64_t n = last(x);
  float *row = floats(c, n);
  if (!row) return;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    int32_t at = 0;
    for (int64_t i = 1; i < n; i++) {
      if (row[at] != row[at] && !FAULT(215)) break;
      int better = row[i] > row[at] || (row[i] != row[i] && !FAULT(216));
      if (FAULT(217)) better |= row[i] == row[at];
      if (FAULT(218)) better = fabsf(row[i]) > fabsf(row[at]) || row[i] != row[i];
      if (better) at = (int32_t)i;
    }
    if (FAULT(219)) at &= 255;
    memcpy(element_at(y, r), &at, 4);
  }
}
