// y = activation(a * b^T + bias) + residual, and the gated pair of products, with AVX-512.
//
// a, b, y   as matmul_scalar; leading dimensions broadcast. Weights are decoded to float; all sums are float.
// Few rows  (up to 4) go through dot_avx512.h, more through the tiles of tile_avx512.h.
// Scratch   a as floats (dense, or in strips); a panel of decoded weights a worker.
// Phases    arrange a; then blocks of output columns.
// Error     at most k roundings in each of sixteen partial sums (dots) or one sum (tiles).
#include "matmul_avx512.h"
#if defined(__x86_64__)
#include "dot_avx512.h"
#include "finish_avx512.h"
#include "tile_avx512.h"
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi,bmi2"))), apply_to = function)

enum { SPAN = 256 }; // elements of a row decoded at a time for a panel

// How one call is cut.
typedef struct cut {
  int dots;            // few rows
  int arranged;        // phase 0 arranges a
  int64_t columns;     // output columns an item
  int64_t blocks;      // of columns
  int64_t strips;      // of rows, a batch
  int64_t shares;      // parts that the strips are dealt into, an item each
  uint64_t a_bytes;    // scratch of phase 0
  uint64_t own_bytes;  // scratch a worker
} cut;

static cut cut_of(const bp_cpu_call *c, const bp_matmul *p) {
  int strided = bp_code_of(p->b[0].dtype) < BP_CODE_Q4_0 && (p->b_step[0] != p->b[0].block_bytes || p->b_step[1] != p->b[1].block_bytes);
  cut t = {.dots = p->m <= BP_DOT_ROWS && !strided, .columns = p->sources == 2 || p->m <= BP_DOT_ROWS ? 16 : BP_PANEL, .shares = 1};
  if (!t.dots && p->sources == 1) t.columns = BP_PANEL;
  t.blocks = (p->n + t.columns - 1) / t.columns;
  t.strips = (p->m + BP_STRIP - 1) / BP_STRIP;
  t.arranged = !t.dots || p->a.dtype != BP_FORMAT_F32 || p->a_step != 4 || p->a_row % 4 != 0;
  if (!t.dots) {
    int64_t wanted = 4 * (int64_t)c->workers, have = t.blocks * p->batches;
    if (have && have < wanted) t.shares = (wanted + have - 1) / have;
    if (t.shares > (t.strips + 1) / 2) t.shares = t.strips > 1 ? (t.strips + 1) / 2 : 1;
  }
  // One size for both ways, growing with every extent: bounds must hold what the actual extents need.
  uint64_t k = (uint64_t)(p->k + 16) / 16 * 16;
  t.a_bytes = bp_round_up((uint64_t)p->batches * (uint64_t)(p->m + 2 * BP_STRIP) * k * 4, 64);
  t.own_bytes = k * BP_PANEL * 4 + SPAN * 16 * 4 + 2 * BP_STRIP * BP_PANEL * 4;
  return t;
}

int bp_matmul_supports_avx512(const bp_cpu_call *c, int gated, bp_cpu_refusal *why) { return bp_matmul_supported(c, gated, why); }

void bp_matmul_plan_avx512(const bp_cpu_call *c, bp_cpu_plan *plan, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  cut t = cut_of(c, &p);
  uint64_t bytes = 1;
  for (uint32_t s = 0; s < p.sources; s++) bytes += (uint64_t)(t.columns * p.k * p.b[s].block_bytes / p.b[s].block_elements);
  uint64_t items = (uint64_t)(t.blocks * t.shares * p.batches), grain = t.dots ? 1 + (24 << 10) / bytes : 1;
  *plan = (bp_cpu_plan){.phases = 1, .items = {items}, .grain = {grain}};
  if (t.arranged)
    *plan = (bp_cpu_plan){.phases = 2, .items = {(uint64_t)(p.batches * (t.dots ? 1 : t.strips)), items}, .grain = {1 + (1 << 13) / (uint64_t)(p.k + 1), grain}};
  plan->scratch_bytes = t.a_bytes + t.own_bytes * c->workers;
}

// First row of a strip: strips differ by one row at most.
static int64_t strip_row(const bp_matmul *p, const cut *t, int64_t strip) { return strip * p->m / t->strips; }

static const float *dense_rows(const bp_matmul *p, const char *a, int64_t rows, float *copy, int64_t *row) {
  int code = (int)bp_code_of(p->a.dtype);
  if (code == BP_CODE_F32 && p->a_step == 4 && p->a_row % 4 == 0) {
    *row = p->a_row / 4;
    return (const float *)a;
  }
  *row = p->k;
  for (int64_t m = 0; m < rows; m++) {
    if (p->a_step == p->a.block_bytes) bp_decode_avx512(p->a.dtype, a + m * p->a_row, copy + m * p->k, p->k);
    else bp_load_run(copy + m * p->k, a + m * p->a_row, p->a_step, (uint64_t)p->k, p->a.dtype);
  }
  return copy;
}

static void arrange(const bp_cpu_call *c, const bp_matmul *p, const cut *t, uint64_t begin, uint64_t end, float *own) {
  int64_t row;
  for (uint64_t i = begin; i < end; i++) {
    if (t->dots) {
      bp_matmul_batch at = bp_matmul_batch_of(p, (int64_t)i);
      dense_rows(p, at.a, p->m, (float *)c->scratch + (int64_t)i * p->m * p->k, &row);
      continue;
    }
    int64_t batch = (int64_t)i / t->strips, strip = (int64_t)i % t->strips, first = strip_row(p, t, strip), rows = strip_row(p, t, strip + 1) - first;
    bp_matmul_batch at = bp_matmul_batch_of(p, batch);
    const float *a = dense_rows(p, at.a + first * p->a_row, rows, own, &row); // a panel's scratch holds 12 rows
    bp_pack_strip_avx512(a, row, (int)rows, p->k, (float *)c->scratch + (int64_t)i * BP_STRIP * p->k);
  }
}

static void dot_columns(int code, int64_t rows, const uint8_t *const w[2], const float *a, int64_t a_row, int64_t k, float sums[2][BP_DOT_ROWS]) {
  switch (code) {
#define CASE(x) case x: bp_dot_code_avx512(x, (int)rows, w, a, a_row, k, sums); return;
  CASE(BP_CODE_F32) CASE(BP_CODE_F16) CASE(BP_CODE_BF16) CASE(BP_CODE_Q4_0) CASE(BP_CODE_Q4_1) CASE(BP_CODE_Q5_0) CASE(BP_CODE_Q5_1)
  CASE(BP_CODE_Q8_0) CASE(BP_CODE_IQ4_NL) CASE(BP_CODE_MXFP4) CASE(BP_CODE_Q4_K) CASE(BP_CODE_Q5_K) CASE(BP_CODE_Q6_K)
#undef CASE
  }
}

// Columns n … n + count for up to four rows.
static void run_dots(const bp_matmul *p, const bp_matmul_batch *at, int64_t n, int64_t count, const float *a, int64_t a_row, float *own, int plain) {
  _Alignas(64) float sums[2][BP_DOT_ROWS][16];
  for (uint32_t s = 0; s < p->sources; s++) {
    int code = (int)bp_code_of(p->b[s].dtype);
    for (int64_t i = 0; i < count; i += BP_DOT_COLUMNS) {
      const uint8_t *w[2];
      float two[2][BP_DOT_ROWS];
      for (int64_t j = 0; j < 2; j++) {
        int64_t column = n + (i + j < count ? i + j : i);
        w[j] = (const uint8_t *)at->b[s] + column * p->b_row[s];
        if (code != BP_CODE_REST) continue;
        float *row = own + j * p->k;
        bp_cpu_decode_row(p->b[s].dtype, w[j], row, p->k);
        w[j] = (const uint8_t *)row;
      }
      dot_columns(code == BP_CODE_REST ? BP_CODE_F32 : code, p->m, w, a, a_row, p->k, two);
      for (int64_t j = 0; j < 2 && i + j < 16; j++)
        for (int64_t m = 0; m < p->m; m++) sums[s][m][i + j] = two[j][m];
    }
  }
  for (int64_t m = 0; m < p->m; m++)
    bp_finish_avx512(p, at, plain, m, n, count, _mm512_load_ps(sums[0][m]), _mm512_load_ps(sums[p->sources - 1][m]));
}

// Sixteen columns of source s from n on (`count` of them exist) into every other half row of a panel.
static void pack_half(const bp_matmul *p, const bp_matmul_batch *at, uint32_t s, int64_t n, int64_t count, float *to, float *rows) {
  const uint8_t *b = (const uint8_t *)at->b[s] + n * p->b_row[s];
  int code = (int)bp_code_of(p->b[s].dtype), bytes = (int)p->b[s].block_bytes, elements = (int)p->b[s].block_elements;
  if (code < BP_CODE_Q4_0 && p->b_row[s] == bytes && p->b_step[s] != bytes) { // [K, N]: rows of the panel as they are
    __mmask16 mask = bp_first_avx512(count);
    for (int64_t x = 0; x < p->k; x++) _mm512_store_ps(to + x * BP_PANEL, bp_load_avx512(code, b + x * p->b_step[s], mask));
    return;
  }
  for (int64_t x = 0; x < p->k; x += SPAN) {
    int64_t span = p->k - x < SPAN ? p->k - x : SPAN;
    for (int64_t i = 0; i < 16; i++) {
      float *row = rows + i * SPAN;
      if (i >= count) memset(row, 0, SPAN * 4);
      else if (p->b_step[s] == bytes) bp_decode_avx512(p->b[s].dtype, b + i * p->b_row[s] + x / elements * bytes, row, span);
      else bp_load_run(row, (const char *)b + i * p->b_row[s] + x * p->b_step[s], p->b_step[s], (uint64_t)span, p->b[s].dtype);
    }
    for (int64_t y = 0; y < span; y += 16) bp_transpose16_avx512(rows + y, SPAN, to + (x + y) * BP_PANEL);
  }
}

static void tile(int64_t rows, const float *strip, const float *panel, int64_t k, float *to) {
  switch (rows) {
#define CASE(n) case n: bp_tile_rows_avx512(n, strip, panel, k, to); return;
  CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
  }
}

static void run_tiles(const bp_cpu_call *c, const bp_matmul *p, const cut *t, const bp_matmul_batch *at, int64_t batch, int64_t n, int64_t count,
                      int64_t first, int64_t last, float *own, int plain) {
  float *panel = own, *rows = own + (p->k + 16) / 16 * 16 * BP_PANEL, *sums = rows + SPAN * 16;
  if (p->sources == 2) {
    for (uint32_t s = 0; s < 2; s++) pack_half(p, at, s, n, count, panel + 16 * s, rows);
  } else {
    for (int64_t h = 0; h < 2; h++)
      if (count > 16 * h) pack_half(p, at, 0, n + 16 * h, count - 16 * h, panel + 16 * h, rows);
  }
  for (int64_t i = first; i < last; i++) {
    int64_t top = strip_row(p, t, i), height = strip_row(p, t, i + 1) - top;
    tile(height, (const float *)c->scratch + (batch * t->strips + i) * BP_STRIP * p->k, panel, p->k, sums);
    for (int64_t m = 0; m < height; m++) {
      __m512 x = _mm512_load_ps(sums + m * BP_PANEL), y = _mm512_load_ps(sums + m * BP_PANEL + 16);
      bp_finish_avx512(p, at, plain, top + m, n, count, x, y);
      if (p->sources == 1 && count > 16) bp_finish_avx512(p, at, plain, top + m, n + 16, count - 16, y, y);
    }
  }
}

void bp_matmul_run_avx512(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  cut t = cut_of(c, &p);
  float *own = (float *)((char *)c->scratch + t.a_bytes + t.own_bytes * worker);
  if (t.arranged && phase == 0) {
    arrange(c, &p, &t, begin, end, own);
    return;
  }
  int plain = bp_finish_is_plain(&p);
  for (uint64_t i = begin; i < end; i++) {
    int64_t share = (int64_t)i % t.shares, block = (int64_t)i / t.shares % t.blocks, batch = (int64_t)i / t.shares / t.blocks;
    int64_t n = block * t.columns, count = p.n - n < t.columns ? p.n - n : t.columns;
    bp_matmul_batch at = bp_matmul_batch_of(&p, batch);
    if (t.dots) {
      const float *a = t.arranged ? (const float *)c->scratch + batch * p.m * p.k : (const float *)at.a;
      run_dots(&p, &at, n, count, a, t.arranged ? p.k : p.a_row / 4, own, plain);
    } else {
      run_tiles(c, &p, &t, &at, batch, n, count, share * t.strips / t.shares, (share + 1) * t.strips / t.shares, own, plain);
    }
  }
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_matmul_supports_avx512(c, 0, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *to) { bp_matmul_plan_avx512(c, to, 0); }
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_matmul_run_avx512(c, phase, begin, end, worker, 0);
}
#pragma clang attribute pop
const bp_cpu_kernel bp_cpu_matmul_avx512 = {
  .op = "matmul", .name = "matmul_avx512", .needs = BP_CPU_AVX512 | BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run};
#endif
