/* topk and sample: the order of a row's elements. */
#include "mutant.h"

/* ---- topk ---- */

/* Whether a comes before b; NaN is larger than everything. */
static int precedes(float a, float b, int largest) {
  if (FAULT(550)) return largest ? a > b : a < b; /* NaN comes where it stands */
  if (FAULT(551)) a = fabsf(a), b = fabsf(b);
  int less = b != b ? a == a : a < b, more = a != a ? b == b : a > b;
  return largest ? more : less;
}
void run_topk(call *c) {
  const view *x = &c->in[0], *values = &c->out[0], *indices = &c->out[1];
  int64_t n = last(x), k = last(values);
  int largest = int_of(c, BP_TOPK_LARGEST) != 0;
  if (FAULT(552)) largest = 1;
  float *row = floats(c, n);
  char *taken = scratch(c, n);
  if (!row || !taken) return;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    memset(taken, 0, (size_t)n);
    for (int64_t place = 0; place < k; place++) {
      int64_t best = -1;
      for (int64_t i = 0; i < n; i++) {
        if (taken[i]) continue;
        if (best < 0 || precedes(row[i], row[best], largest) || (FAULT(553) && row[i] == row[best])) best = i;
      }
      taken[best] = 1;
      float value = FAULT(554) ? round_f16(row[best]) : row[best];
      int32_t index = (int32_t)(FAULT(555) ? best & 255 : best);
      if (values->data) store_one(row_at(values, r) + place * last_stride(values), values->dtype, value);
      if (indices->data) memcpy(row_at(indices, r) + place * last_stride(indices), &index, 4);
    }
  }
}

/* ---- sample ---- */

/* The kept candidates in order: the largest first, equal ones by index. */
static void sort(const float *x, int32_t *order, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    int32_t one = order[i];
    int64_t at = i;
    for (; at > 0 && x[one] > x[order[at - 1]]; at--) order[at] = order[at - 1];
    order[at] = one;
  }
}
static int32_t draw(const call *c, const float *x, int32_t *order, int64_t n, double draw) {
  double temperature = float_of(c, BP_SAMPLE_TEMPERATURE), top_p = float_of(c, BP_SAMPLE_TOP_P), min_p = float_of(c, BP_SAMPLE_MIN_P);
  int64_t top_k = int_of(c, BP_SAMPLE_TOP_K), kept = n;
  for (int64_t i = 0; i < n; i++) order[i] = (int32_t)i;
  sort(x, order, n);
  double most = x[order[0]];
  if (most == -INFINITY) return 0;
  if (temperature == 0 || most == INFINITY) {
    int64_t at = 0;
    if (FAULT(560)) while (at + 1 < n && x[order[at + 1]] == most) at++; /* the last of equals */
    return order[at];
  }
  double of_filters = FAULT(561) ? temperature : 1; /* the temperature before the filters */
  if (FAULT(562) && top_k > 0) top_k++;
  if (top_k > 0 && top_k < kept) kept = top_k;
  if (top_p < 1) {
    double mass = 0, sum = 0;
    int64_t enough = 0;
    for (int64_t i = 0; i < kept; i++) mass += exp((x[order[i]] - most) / of_filters);
    while (enough < kept && sum < top_p * mass) sum += exp((x[order[enough++]] - most) / of_filters);
    if (FAULT(563) && enough > 1) enough--; /* without the one that reaches it */
    kept = enough;
  }
  double limit = min_p;
  if (FAULT(564)) { double mass = 0; for (int64_t i = 0; i < kept; i++) mass += exp(x[order[i]] - most); limit = min_p * mass; } /* of the probability, not of the largest's */
  while (kept > 1 && x[order[kept - 1]] < most && exp((x[order[kept - 1]] - most) / of_filters) < limit) kept--;
  double total = 0, sum = 0;
  for (int64_t i = 0; i < kept; i++) total += exp((x[order[i]] - most) / temperature);
  if (!FAULT(565)) /* by index; otherwise the largest first */
    for (int64_t i = 1; i < kept; i++)
      for (int64_t at = i; at > 0 && order[at] < order[at - 1]; at--) { int32_t swap = order[at]; order[at] = order[at - 1], order[at - 1] = swap; }
  int32_t token = order[0];
  for (int64_t i = 0; i < kept; i++) {
    double weight = exp((x[order[i]] - most) / temperature);
    if (weight > 0) token = order[i];
    sum += weight;
    if (sum > draw * total) break;
  }
  return token;
}
void run_sample(call *c) {
  const view *x = &c->in[0], *draws = &c->in[1], *y = &c->out[0];
  int64_t n = last(x);
  float *row = floats(c, n);
  int32_t *order = scratch(c, n * 4);
  if (!row || !order) return;
  for (int64_t r = 0; r < rows(x); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    for (int64_t i = 0; i < n; i++) if (row[i] != row[i]) row[i] = FAULT(566) ? INFINITY : -INFINITY;
    double u = load_one(element_at(draws, FAULT(567) ? 0 : r), BP_FORMAT_F32);
    int32_t token = draw(c, row, order, n, u);
    memcpy(element_at(y, r), &token, 4);
  }
}
