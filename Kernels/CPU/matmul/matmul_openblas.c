// y = activation(a * b^T + bias) + residual in f32 by OpenBLAS's sgemm, a block of y an item, each on one thread.
//
// a, b, y   f32; rows of a and y dense, b dense along K or along N; leading dimensions broadcast. Bias and residual as matmul_scalar.
// Phases    one: blocks of `rows` rows by `columns` columns.
// Error     float sums over k in blocks: at most k roundings.
// Never the default beside a vector kernel; what the tuner may choose where OpenBLAS has better code for a processor.
#include "../shared/openblas.h"
#include "problem.h"
#include <limits.h>

enum { ROWS, COLUMNS };
enum { SPAN = 64 }; // results finished at a time
static const bp_cpu_parameter parameters[] = {
  [ROWS] = {"row_block", 512, {32, 64, 128, 256, 512, 1024, 4096}, 7, 0},
  [COLUMNS] = {"column_block", 512, {64, 128, 256, 512, 1024, 4096}, 6, 0},
};

typedef struct blocks { int64_t rows, columns, down, across; } blocks;

static blocks blocks_of(const bp_cpu_call *c, const bp_matmul *p) {
  blocks b = {bp_parameter(c, ROWS, parameters[ROWS].standard), bp_parameter(c, COLUMNS, parameters[COLUMNS].standard), 0, 0};
  b.down = (p->m + b.rows - 1) / b.rows;
  b.across = (p->n + b.columns - 1) / b.columns;
  return b;
}

// Elements from row to row of a matrix with `width` elements a row: what lies in `row` bytes, which a single row need not have.
static int pitch(int64_t row, int64_t width) { return (int)(row / 4 > width ? row / 4 : width > 1 ? width : 1); }

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_matmul p = bp_matmul_of(c, 0);
  blocks b = blocks_of(c, &p);
  bp_sgemm_fn sgemm = bp_openblas_sgemm();
  int along_k = p.b_step[0] == 4;
  for (uint64_t i = begin; i < end; i++) {
    bp_matmul_batch at = bp_matmul_batch_of(&p, (int64_t)i / (b.down * b.across));
    int64_t m = (int64_t)i / b.across % b.down * b.rows, n = (int64_t)i % b.across * b.columns;
    int64_t rows = p.m - m < b.rows ? p.m - m : b.rows, columns = p.n - n < b.columns ? p.n - n : b.columns;
    float *y = (float *)(at.y + m * p.y_row) + n;
    sgemm(101, 111, along_k ? 112 : 111, (int)rows, (int)columns, (int)p.k, 1, (const float *)(at.a + m * p.a_row), pitch(p.a_row, p.k),
          (const float *)(at.b[0] + n * p.b_row[0]), along_k ? pitch(p.b_row[0], p.k) : pitch(p.b_step[0], p.n), 0, y, pitch(p.y_row, p.n));
    if (p.bias || p.activation || p.residual)
      for (int64_t r = 0; r < rows; r++)
        for (int64_t x = 0; x < columns; x += SPAN) {
          float sums[SPAN];
          int64_t count = columns - x < SPAN ? columns - x : SPAN;
          memcpy(sums, (char *)(y + x) + r * p.y_row, (size_t)count * 4);
          bp_matmul_finish(&p, &at, m + r, n + x, count, sums, 0);
        }
  }
}

static void plan(const bp_cpu_call *c, bp_cpu_plan *to) {
  bp_matmul p = bp_matmul_of(c, 0);
  blocks b = blocks_of(c, &p);
  bp_plan_items(to, (uint64_t)(b.down * b.across * p.batches), 1);
}

// 1 when rows of `columns` floats follow each other without overlap.
static int is_matrix(int64_t rows, int64_t columns, int64_t row, int64_t step) {
  return step == 4 && row % 4 == 0 && (rows == 1 || row / 4 >= columns) && row / 4 <= INT_MAX;
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_matmul_supported(c, 0, why)) return 0;
  const bp_cpu_view *all[] = {&c->in[0], &c->in[1], &c->out[0]};
  for (uint32_t i = 0; i < 3; i++)
    if (all[i]->dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, i < 2 ? i : c->n_in, 0, 0);
  bp_matmul p = bp_matmul_of(c, 0);
  if (p.m > INT_MAX || p.n > INT_MAX || p.k > INT_MAX) return bp_refuse(why, BP_REASON_DIM_TOO_LARGE, 0, INT_MAX, 0);
  if (!is_matrix(p.m, p.k, p.a_row, p.a_step)) return bp_refuse(why, BP_REASON_LAYOUT, 0, 4, p.a_step);
  if (!is_matrix(p.n, p.k, p.b_row[0], p.b_step[0]) && !is_matrix(p.k, p.n, p.b_step[0], p.b_row[0])) return bp_refuse(why, BP_REASON_LAYOUT, 1, 4, p.b_step[0]);
  if (!is_matrix(p.m, p.n, p.y_row, p.y_step)) return bp_refuse(why, BP_REASON_LAYOUT, c->n_in, 4, p.y_step);
  return bp_openblas_sgemm() ? 1 : bp_refuse(why, BP_REASON_FEATURE, 0, 0, 0);
}

const bp_cpu_kernel bp_cpu_matmul_openblas = {
  .op = "matmul", .name = "matmul_openblas",
#if defined(__x86_64__)
  .needs = BP_CPU_AVX2,
#elif defined(__aarch64__)
  .needs = BP_CPU_NEON,
#endif
  .supports = supports, .plan = plan, .run = run, .parameters = parameters, .n_parameters = 2};
