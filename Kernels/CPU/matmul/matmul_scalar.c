// y = activation(a * b^T + bias) + residual, and the gated pair of products, on any processor.
//
// a, b, y, residual  any strides, any format of the spec; leading dimensions broadcast (matmul C1, C2 checked by the host).
// Scratch            a as dense floats when it is not, and one decoded row of weights a worker.
// Phases             convert a, only where needed; then blocks of output columns.
// Error              float sums in an order that the compiler chooses: at most k roundings.
#include "matmul_scalar.h"

enum { COLUMNS = 8 }; // output columns an item

static int a_is_dense(const bp_matmul *p) { return p->a.dtype == BP_FORMAT_F32 && p->a_step == 4 && p->a_row % 4 == 0; }

static float dot(const float *restrict x, const float *restrict y, int64_t n) {
#pragma clang fp reassociate(on) contract(fast)
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

void bp_matmul_plan_scalar(const bp_cpu_call *c, bp_cpu_plan *plan, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  uint64_t m = (uint64_t)p.m, n = (uint64_t)p.n, k = (uint64_t)p.k, columns = (n + COLUMNS - 1) / COLUMNS;
  uint64_t work = COLUMNS * k * (m + 4) + 1, grain = 1 + (1 << 16) / work;
  *plan = (bp_cpu_plan){.phases = 1, .items = {columns * (uint64_t)p.batches}, .grain = {grain}};
  plan->scratch_bytes = bp_round_up(k * 4, 64) * c->workers;
  if (a_is_dense(&p)) return;
  *plan = (bp_cpu_plan){.phases = 2, .items = {m * (uint64_t)p.batches, plan->items[0]}, .grain = {1 + (1 << 14) / (k + 1), grain},
                        .scratch_bytes = plan->scratch_bytes + bp_round_up(m * (uint64_t)p.batches * k * 4, 64)};
}

void bp_matmul_run_scalar(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  int dense = a_is_dense(&p);
  uint64_t row_bytes = bp_round_up((uint64_t)p.k * 4, 64);
  float *weights = (float *)((char *)c->scratch + row_bytes * worker), *copy = (float *)((char *)c->scratch + row_bytes * c->workers);
  if (!dense && phase == 0) {
    for (uint64_t i = begin; i < end; i++) {
      bp_matmul_batch at = bp_matmul_batch_of(&p, (int64_t)i / p.m);
      bp_load_run(copy + (int64_t)i * p.k, at.a + (int64_t)i % p.m * p.a_row, p.a_step, (uint64_t)p.k, p.a.dtype);
    }
    return;
  }
  int64_t columns = (p.n + COLUMNS - 1) / COLUMNS;
  for (uint64_t i = begin; i < end; i++) {
    int64_t batch = (int64_t)i / columns, first = (int64_t)i % columns * COLUMNS, last = first + COLUMNS < p.n ? first + COLUMNS : p.n;
    bp_matmul_batch at = bp_matmul_batch_of(&p, batch);
    enum { ROWS = 64 }; // rows of a that share a decoded row of weights, and results on the stack
    for (int64_t top = 0; top < p.m; top += ROWS) {
      int64_t rows = p.m - top < ROWS ? p.m - top : ROWS;
      float sums[2][ROWS][COLUMNS];
      for (uint32_t s = 0; s < p.sources; s++)
        for (int64_t n = first; n < last; n++) {
          bp_matmul_weights(&p, &at, s, n, weights);
          for (int64_t m = 0; m < rows; m++) {
            const float *a = dense ? (const float *)(at.a + (top + m) * p.a_row) : copy + (batch * p.m + top + m) * p.k;
            sums[s][m][n - first] = dot(a, weights, p.k);
          }
        }
      for (int64_t m = 0; m < rows; m++) bp_matmul_finish(&p, &at, top + m, first, last - first, sums[0][m], gated ? sums[1][m] : 0);
    }
  }
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_matmul_supported(c, 0, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_scalar(c, to, 0); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_matmul_run_scalar(c, phase, begin, end, worker, 0);
}
const bp_cpu_kernel bp_cpu_matmul_scalar = {.op = "matmul", .name = "matmul_scalar", .supports = supports, .plan = plan, .run = run};
