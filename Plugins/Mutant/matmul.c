/* matmul and matmul_gated: weights decoded whole, one dot product after the other, rows of y on the host's threads. */
#include "mutant.h"
#include <time.h>

/* ---- dot products: each order of summation is a correct variant ---- */

static float dot_blocked(const float *a, const float *b, int64_t k, int lanes) {
  float part[64] = {0}, sum = 0;
  for (int64_t i = 0; i < k; i++) part[i % lanes] += a[i] * b[i];
  for (int i = 0; i < lanes; i++) sum += part[i];
  return sum;
}
static float dot_pairwise(const float *a, const float *b, int64_t k) {
  if (k <= 1) return k == 1 ? a[0] * b[0] : 0;
  return dot_pairwise(a, b, k / 2) + dot_pairwise(a + k / 2, b + k / 2, k - k / 2);
}
static float dot_kahan(const float *a, const float *b, int64_t k) {
  float sum = 0, carry = 0;
  for (int64_t i = 0; i < k; i++) {
    float y = a[i] * b[i] - carry, t = sum + y;
    carry = isfinite(t) ? (t - sum) - y : 0;
    sum = t;
  }
  return sum;
}
static float dot_plain(const float *a, const float *b, int64_t k) {
  float sum = 0;
  for (int64_t i = 0; i < k; i++) sum += a[i] * b[i];
  return sum;
}
static float dot_split(const float *a, const float *b, int64_t k, int64_t parts) {
  float sum = 0;
  for (int64_t p = 0; p < parts; p++) sum += dot_plain(a + k * p / parts, b + k * p / parts, k * (p + 1) / parts - k * p / parts);
  return sum;
}
static int64_t first_element; /* of a sum that begins elsewhere in each call */

static float dot(const float *a, const float *b, int64_t k) {
  float sum = 0;
  if (FAULT(300)) k = k < 4 ? k : k / 4 * 4;
  if (FAULT(327)) { for (int64_t i = 0; i < k; i++) sum += a[i & 255] * b[i & 255]; return sum; }
  if (FAULT(301)) { for (int64_t i = 0; i < k; i++) sum = round_f16(sum + a[i] * b[i]); return sum; }
  if (FAULT(302)) { for (int64_t i = 0; i < k; i++) sum = round_bf16(sum + a[i] * b[i]); return sum; }
  if (FAULT(303)) { /* blocks of 32 in f32, what they give in f16 */
    for (int64_t i = 0; i < k; i += 32) sum = round_f16(sum + dot_plain(a + i, b + i, k - i < 32 ? k - i : 32));
    return sum;
  }
  if (FAULT(315)) return round_f16(dot_plain(a, b, k));
  if (FAULT(316)) { for (int64_t i = 0; i < k; i++) sum += a[i] == 0 || b[i] == 0 ? 0 : a[i] * b[i]; return sum; }
  if (FAULT(325)) { for (int64_t i = 0; i < k; i++) sum = flush(sum + flush(flush(a[i]) * flush(b[i]))); return sum; }
  if (FAULT(328)) { /* parts of 128; the last one is not merged */
    for (int64_t i = 0; i < k && (i == 0 || i + 128 <= k); i += 128) sum += dot_plain(a + i, b + i, k - i < 128 ? k - i : 128);
    return sum;
  }
  if (FAULT(321)) { for (int64_t i = 0; i < k; i++) sum += a[(i + first_element) % k] * b[(i + first_element) % k]; return sum; }
  if (FAULT(343)) return dot_plain(a, b, k > 32 ? k / 32 * 32 : k);
  if (FAULT(347)) { for (int64_t i = 0; i < k; i++) sum = round_bf16(sum + a[i] * b[i]); return sum; }
  if (FAULT(1030)) { for (int64_t i = k; i-- > 0;) sum += a[i] * b[i]; return sum; }
  if (FAULT(1031)) return dot_pairwise(a, b, k);
  if (FAULT(1032)) return dot_blocked(a, b, k, 4);
  if (FAULT(1033)) return dot_blocked(a, b, k, 8);
  if (FAULT(1034)) return dot_blocked(a, b, k, 16);
  if (FAULT(1035)) return dot_blocked(a, b, k, 64);
  if (FAULT(1036)) return dot_kahan(a, b, k);
  if (FAULT(1037)) { double wide = 0; for (int64_t i = 0; i < k; i++) wide += (double)a[i] * b[i]; return (float)wide; }
  if (FAULT(1038)) { for (int64_t i = 0; i < k; i++) sum = fmaf(a[i], b[i], sum); return sum; }
  if (FAULT(1039)) return dot_split(a, b, k, 3);
  if (FAULT(1043)) return dot_pairwise(a, b, k);
  return dot_plain(a, b, k);
}

/* Activations rounded to 8 bits, a scale for `block` elements: what a kernel that multiplies integers does. */
static void quantise(float *a, int64_t k, int64_t block) {
  for (int64_t at = 0; at < k; at += block) {
    int64_t end = at + block < k ? at + block : k;
    float largest = 0;
    for (int64_t i = at; i < end; i++) largest = a[i] != a[i] ? a[i] : fmaxf(largest, fabsf(a[i]));
    float d = largest / 127;
    if (d == 0 || !isfinite(d)) continue;
    for (int64_t i = at; i < end; i++) a[i] = rintf(a[i] / d) * d;
  }
}

/* Operands in a narrower format, as the verdict then declares. */
static void round_operand(float *x, int64_t n) {
  if (FAULT(1042)) for (int64_t i = 0; i < n; i++) x[i] = round_bf16(x[i]);
  if (FAULT(1044)) for (int64_t i = 0; i < n; i++) x[i] = round_f16(x[i]);
}

/* ---- the problem ---- */

typedef struct job {
  call *c;
  int fault;
  int64_t m, n, k, batch;
  const view *a, *y;
  const float *b, *up; /* [N, K] */
  float *rows;         /* one row of a for each worker, a line apart */
  uint32_t workers;
  enum activation act;
} job;

enum activation activation_of(const call *c, uint32_t i) {
  if (is(c, i, "relu") || is(c, i, "reglu")) return ACT_RELU;
  if (is(c, i, "silu") || is(c, i, "swiglu")) return ACT_SILU;
  if (is(c, i, "gelu_tanh") || is(c, i, "geglu_tanh")) return FAULT(326) ? ACT_GELU_ERF : ACT_GELU_TANH;
  return is(c, i, "none") ? ACT_NONE : ACT_GELU_ERF;
}

/* Row m of a matrix of the job's batch, `v` broadcasting to y. */
static char *matrix_row(const view *v, const job *j, int64_t m) {
  if (v->rank >= 2 && v->dim[v->rank - 2] == 1) m = 0;
  char *p = v->data + (v->rank >= 2 ? m * v->stride[v->rank - 2] : 0);
  int64_t batch = j->batch;
  for (int i = (int)j->y->rank - 3, at = (int)v->rank - 3; i >= 0; i--, at--) {
    if (at >= 0 && v->dim[at] != 1) p += batch % j->y->dim[i] * v->stride[at];
    batch /= j->y->dim[i];
  }
  return p;
}

static float finish(const job *j, int64_t m, int64_t n, float sum) {
  call *c = j->c;
  const view *bias = &c->in[BP_MATMUL_IN_BIAS], *residual = &c->in[BP_MATMUL_IN_RESIDUAL];
  int late = bias->data && FAULT(304);
  if (bias->data && !late) sum += at_f32(bias, FAULT(332) && m < j->n ? m : n);
  float more = 0;
  if (residual->data) more = load_one(matrix_row(residual, j, m) + n * (last(residual) == 1 ? 0 : last_stride(residual)), residual->dtype);
  if (FAULT(331)) more = round_bf16(more);
  if (FAULT(305)) return activate(j->act, sum + more);
  sum = activate(j->act, sum);
  if (late) sum += at_f32(bias, n);
  return sum + more;
}

static void matmul_rows(void *context, uint64_t begin, uint64_t end, uint32_t worker) {
  const job *j = context;
  mutant_active = j->fault;
  const view *y = j->y;
  int64_t apart = j->k + 16, tail = 0;
  int race = FAULT(322);
  float *a = j->rows + (race ? 0 : worker % j->workers) * apart;
  if (FAULT(344)) tail = j->n > 8 ? j->n % 8 : 0;
  for (int64_t m = (int64_t)begin; m < (int64_t)end; m++) {
    decode(j->a->dtype, matrix_row(j->a, j, FAULT(319) && m > 0 && m == j->m - 1 && m % 2 == 0 ? m - 1 : m), last_stride(j->a), a, j->k);
    if (race) nanosleep(&(struct timespec){0, 100000}, NULL); /* the window, wide open */
    if (FAULT(318) || FAULT(1040)) quantise(a, j->k, 32);
    if (FAULT(1041)) quantise(a, j->k, 256);
    if (FAULT(330)) for (int64_t i = 0; i < j->k; i++) a[i] = round_bf16(a[i]);
    round_operand(a, j->k);
    char *to = matrix_row(y, j, m);
    for (int64_t n = 0; n < j->n - tail; n++) {
      float sum = dot(a, j->b + n * j->k, j->k), r;
      if (FAULT(329) && n % 5 == 3) sum *= 1.001f;
      if (j->up) {
        float up = dot(a, j->up + n * j->k, j->k);
        if (FAULT(340)) { float swap = sum; sum = up, up = swap; }
        float g = activate(j->act, sum);
        if (FAULT(342)) g = round_f16(g);
        if (FAULT(346)) up = round_bf16(up);
        if (FAULT(345) && g == 0) up = 0;
        r = g * up;
      } else {
        r = finish(j, m, n, sum);
      }
      if (FAULT(307)) r += load_one(to + n * last_stride(y), y->dtype);
      store_one(to + n * last_stride(y), y->dtype, r);
    }
    if (FAULT(309) && j->n % 4 == 1) store_one(to + j->n * last_stride(y), y->dtype, 0);
  }
}

/* The weights of the job's batch as [N, K] floats. */
static void decode_weights(const job *j, const view *b, int transposed, float *to) {
  if (FAULT(320) && j->n == j->k && j->n > 1) transposed = 1; /* square: nobody sees it from the shape */
  for (int64_t n = 0; n < j->n; n++) {
    if (transposed) decode(b->dtype, matrix_row(b, j, n), last_stride(b), to + n * j->k, j->k);
    else for (int64_t k = 0; k < j->k; k++) to[n * j->k + k] = load_one(matrix_row(b, j, k) + n * last_stride(b), b->dtype);
  }
  if (FAULT(308) && b->data && j->n && j->k) { /* a vector load at the end of the last row */
    const char *end = matrix_row(b, j, transposed ? j->n - 1 : j->k - 1) + (last(b) / b->block) * last_stride(b);
    volatile char sink = *(const volatile char *)end;
    (void)sink;
  }
  round_operand(to, j->n * j->k);
}

static void multiply(call *c, int gated) {
  job j = {.c = c, .fault = mutant_active, .a = &c->in[0], .y = &c->out[0]};
  j.m = j.y->dim[j.y->rank - 2], j.n = last(j.y), j.k = last(j.a);
  j.act = activation_of(c, gated ? BP_MATMUL_GATED_ACTIVATION : BP_MATMUL_ACTIVATION);
  j.workers = c->host->worker_count(c->host->ctx, 0);
  if (j.workers == 0) j.workers = 1;
  if (FAULT(317) && j.k == 0) return;
  int transposed = gated || int_of(c, BP_MATMUL_TRANSPOSE_B) != 0;
  float *b = floats(c, j.n * j.k), *up = gated ? floats(c, j.n * j.k) : NULL;
  j.rows = floats(c, (j.k + 16) * j.workers);
  if (!b || !j.rows || (gated && !up)) return;
  int64_t batches = 1;
  for (uint32_t i = 0; i + 2 < j.y->rank; i++) batches *= j.y->dim[i];
  first_element++;
  for (; j.batch < batches && j.m && j.n; j.batch++) {
    int64_t batch = j.batch;
    if (FAULT(306)) j.batch = batch / 2 * 2; /* the weights of every other batch */
    decode_weights(&j, &c->in[1], transposed, b);
    if (gated) decode_weights(&j, &c->in[2], 1, up);
    j.batch = batch, j.b = b, j.up = up;
    c->host->parallel_for(c->host->ctx, (uint64_t)j.m, 1, matmul_rows, &j, 0);
  }
}
void run_matmul(call *c) { multiply(c, 0); }
void run_matmul_gated(call *c) { multiply(c, 1); }
