// y = activation(a * b^T + bias) + residual, and the gated pair of products, in the names of lanes_*.h and blocks_*.h.
//
// a, b, y   as matmul_scalar; leading dimensions broadcast. Weights are decoded to float; all sums are float.
// Few rows  (up to 8) go through dot.h, more through the tiles of tile.h: panels of 2 LANES output columns, decoded and
//           transposed once, against strips of rows. For matmul_gated a panel is LANES columns of gate and LANES of up, so
//           that both sums of an element meet in one tile.
// Chosen    see parameters.h. With several panels or less than the whole of K at a time sums wait in scratch.
// Scratch   a as floats (dense, or in strips); a panel of decoded weights a worker.
// Phases    arrange a; then blocks of output columns.
// Error     at most k roundings in each of LANES partial sums (dots) or in one sum (tiles).
// Pairs     with V_PAIRS 2 (matmul_bf16.h) tiles take both factors as bf16, two elements along k at a time; dots do not. With V_TILES 1 they are AMX's.
#if V_TILES
#include "bf16_tiles.h"
#else
#include "../shared/tile.h"
#endif
#include "dot.h"
#include "finish.h"
#include "parameters.h"

#ifndef MATMUL_NAME
#define MATMUL_NAME V_NAME
#endif
#if !V_TILES
enum { K_UNIT = LANES };
// Where strips and panels have one element for each V_PAIRS of k.
static inline int64_t steps_of(int64_t k) { return (k + V_PAIRS - 1) / V_PAIRS; }
static inline void begin_tiles(int64_t rows) { (void)rows; }
static inline void end_tiles(void) {}
#endif

enum {
  SPAN = 256,   // elements of a row decoded at a time for a panel
  WAITING = 40, // strips of an item whose sums wait
};

// How one call is cut.
typedef struct cut {
  int dots;            // few rows
  int arranged;        // phase 0 arranges a
  int64_t panels;      // most panels of an item
  int64_t depth;       // elements along K that a panel holds
  bp_matmul_deal deal;
  uint64_t a_bytes;    // scratch of phase 0
  uint64_t own_bytes;  // scratch a worker: panels, a span of each of LANES columns, sums
  uint64_t panel_bytes;
} cut;

static cut cut_of(const bp_cpu_call *c, const bp_matmul *p) {
  int strided = bp_code_of(p->b[0].dtype) < BP_CODE_Q4_0 && (p->b_step[0] != p->b[0].block_bytes || p->b_step[1] != p->b[1].block_bytes);
  cut t = {.dots = p->m <= bp_matmul_choice(c, BP_MATMUL_FEW_ROWS) && p->m <= DOT_MOST && !strided, .panels = 1, .deal.shares = 1};
  t.deal.columns = p->sources == 2 || t.dots ? LANES : PANEL;
  t.depth = bp_matmul_choice(c, BP_MATMUL_DEPTH) < p->k ? bp_matmul_choice(c, BP_MATMUL_DEPTH) : p->k;
  if (!t.dots) t.deal.columns *= t.panels = bp_matmul_choice(c, BP_MATMUL_PANELS);
  t.deal.blocks = (p->n + t.deal.columns - 1) / t.deal.columns;
  t.deal.strips = (p->m + STRIP - 1) / STRIP;
  t.arranged = !t.dots || p->a.dtype != BP_FORMAT_F32 || p->a_step != 4 || p->a_row % 4 != 0;
  if (!t.dots) {
    t.deal.shares = bp_matmul_shares(p, &t.deal, bp_matmul_choice(c, BP_MATMUL_ITEMS) * (int64_t)c->workers);
    int64_t least = (t.deal.strips + WAITING - 1) / WAITING;
    if ((t.panels > 1 || t.depth < p->k) && t.deal.shares < least) t.deal.shares = least;
  }
  // One size for all ways, growing with every extent: bounds must hold what the actual extents need.
  uint64_t k = (uint64_t)(p->k + K_UNIT) / K_UNIT * K_UNIT, strips = p->m / STRIP + 2 < WAITING ? (uint64_t)p->m / STRIP + 2 : WAITING;
  t.a_bytes = bp_round_up((uint64_t)p->batches * (uint64_t)(p->m + 2 * STRIP) * k * 4, 64);
  t.panel_bytes = (k > BP_MATMUL_HELD ? k : 4 * k < BP_MATMUL_HELD ? 4 * k : BP_MATMUL_HELD) * PANEL * 4;
  t.own_bytes = t.panel_bytes + SPAN * LANES * 4 + strips * STRIP * 4 * PANEL * 4;
  return t;
}

void MATMUL_NAME(bp_matmul_plan)(const bp_cpu_call *c, bp_cpu_plan *plan, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  cut t = cut_of(c, &p);
  uint64_t bytes = 1;
  for (uint32_t s = 0; s < p.sources; s++) bytes += (uint64_t)(t.deal.columns * p.k * p.b[s].block_bytes / p.b[s].block_elements);
  uint64_t items = (uint64_t)(t.deal.blocks * t.deal.shares * p.batches), grain = t.dots ? 1 + (24 << 10) / bytes : 1;
  *plan = (bp_cpu_plan){.phases = 1, .items = {items}, .grain = {grain}};
  if (t.arranged)
    *plan = (bp_cpu_plan){.phases = 2, .items = {(uint64_t)(p.batches * (t.dots ? 1 : t.deal.strips)), items}, .grain = {1 + (1 << 13) / (uint64_t)(p.k + 1), grain}};
  plan->scratch_bytes = t.a_bytes + t.own_bytes * c->workers;
}

// First row of a strip: strips differ by one row at most.
static int64_t strip_row(const bp_matmul *p, const cut *t, int64_t strip) { return strip * p->m / t->deal.strips; }

static const float *dense_rows(const bp_matmul *p, const char *a, int64_t rows, float *copy, int64_t *row) {
  int code = (int)bp_code_of(p->a.dtype);
  if (code == BP_CODE_F32 && p->a_step == 4 && p->a_row % 4 == 0) {
    *row = p->a_row / 4;
    return (const float *)a;
  }
  *row = p->k;
  for (int64_t m = 0; m < rows; m++) {
    if (p->a_step == p->a.block_bytes) V_NAME(bp_decode)(p->a.dtype, a + m * p->a_row, copy + m * p->k, p->k);
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
    int64_t batch = (int64_t)i / t->deal.strips, strip = (int64_t)i % t->deal.strips, first = strip_row(p, t, strip), rows = strip_row(p, t, strip + 1) - first;
    bp_matmul_batch at = bp_matmul_batch_of(p, batch);
    const float *a = dense_rows(p, at.a + first * p->a_row, rows, own, &row); // a panel's scratch holds STRIP rows
    float *to = (float *)c->scratch + (int64_t)i * STRIP * steps_of(p->k);
#if V_TILES
    pack_strip(a, row, rows, p->k, to);
#else
#if V_PAIRS == 2
    for (int64_t m = 0; m < rows; m++) v_round_pairs(a + m * row, p->k, own + m * steps_of(p->k));
    a = own, row = steps_of(p->k);
#endif
    pack_strip(a, row, (int)rows, steps_of(p->k), to);
#endif
  }
}

// Columns n … n + count for up to DOT_MOST rows.
static void run_dots(const bp_matmul *p, const bp_matmul_batch *at, int64_t n, int64_t count, const float *a, int64_t a_row, float *own, int plain) {
  float sums[2][DOT_MOST][LANES];
  for (uint32_t s = 0; s < p->sources; s++) {
    int code = (int)bp_code_of(p->b[s].dtype);
    for (int64_t i = 0; i < count; i += 2) {
      const uint8_t *w[2];
      dot_sums two;
      for (int64_t j = 0; j < 2; j++) {
        int64_t column = n + (i + j < count ? i + j : i);
        w[j] = (const uint8_t *)at->b[s] + column * p->b_row[s];
        if (code != BP_CODE_REST) continue;
        float *row = own + j * p->k;
        V_NAME(bp_decode)(p->b[s].dtype, w[j], row, p->k);
        w[j] = (const uint8_t *)row;
      }
      for (int64_t top = 0; top < p->m; top += DOT_ROWS) {
        int64_t rows = p->m - top < DOT_ROWS ? p->m - top : DOT_ROWS;
        dot_columns(code == BP_CODE_REST ? BP_CODE_F32 : code, rows, w, a + top * a_row, a_row, p->k, two);
        for (int64_t j = 0; j < 2 && i + j < LANES; j++)
          for (int64_t m = 0; m < rows; m++) sums[s][top + m][i + j] = two[j][m];
      }
    }
  }
  for (int64_t m = 0; m < p->m; m++)
    finish(p, at, plain, m, n, count, v_load(sums[0][m]), v_load(sums[p->sources - 1][m]));
}

// Elements from … end of LANES columns of source s from n on (`count` of them exist) into every other half row of a panel. `from` is
// a multiple of SPAN.
static void pack_half(const bp_matmul *p, const bp_matmul_batch *at, uint32_t s, int64_t n, int64_t count, int64_t from, int64_t end, float *to, float *rows) {
  const uint8_t *b = (const uint8_t *)at->b[s] + n * p->b_row[s];
  int code = (int)bp_code_of(p->b[s].dtype), bytes = (int)p->b[s].block_bytes, elements = (int)p->b[s].block_elements;
  to -= from / V_PAIRS * PANEL;
  if (code < BP_CODE_Q4_0 && p->b_row[s] == bytes && p->b_step[s] != bytes) { // [K, N]: rows of the panel as they are
    for (int64_t x = from; x < end; x += V_PAIRS) {
      vf first = load_of(p->b[s].dtype, b + x * p->b_step[s], count);
#if V_PAIRS == 2
      first = v_pair(first, x + 1 < end ? load_of(p->b[s].dtype, b + (x + 1) * p->b_step[s], count) : v_zero());
#endif
      v_store(to + x / V_PAIRS * PANEL, first);
    }
    return;
  }
  for (int64_t x = from; x < end; x += SPAN) {
    int64_t span = end - x < SPAN ? end - x : SPAN;
    for (int64_t i = 0; i < LANES; i++) {
      float *row = rows + i * SPAN;
      if (i >= count) memset(row, 0, SPAN * 4);
      else if (p->b_step[s] == bytes) V_NAME(bp_decode)(p->b[s].dtype, b + i * p->b_row[s] + x / elements * bytes, row, span);
      else bp_load_run(row, (const char *)b + i * p->b_row[s] + x * p->b_step[s], p->b_step[s], (uint64_t)span, p->b[s].dtype);
#if V_PAIRS == 2
      v_round_pairs(row, span, row);
#endif
    }
    for (int64_t y = 0; y < steps_of(span); y += LANES) v_transpose(rows + y, SPAN, to + (x / V_PAIRS + y) * PANEL, PANEL);
  }
}

// One panel, `depth` elements from x on, of the columns from n on.
static void pack_panel(const bp_matmul *p, const bp_matmul_batch *at, int64_t n, int64_t x, int64_t depth, float *panel, float *rows) {
  for (uint32_t h = 0; h < 2; h++) {
    int64_t first = p->sources == 2 ? n : n + LANES * h, count = p->n - first < LANES ? p->n - first : LANES;
    if (count > 0) pack_half(p, at, p->sources == 2 ? h : 0, first, count, x, x + depth, panel + LANES * h, rows);
  }
  for (int64_t y = (depth + V_PAIRS - 1) / V_PAIRS; y < steps_of(depth); y++) memset(panel + y * PANEL, 0, PANEL * 4); // where steps are whole tiles
}

static void run_tiles(const bp_cpu_call *c, const bp_matmul *p, const cut *t, const bp_matmul_batch *at, int64_t batch, int64_t n,
                      int64_t first, int64_t last, char *own, int plain) {
  const int64_t wide = p->sources == 2 ? LANES : PANEL, left = (p->n - n + wide - 1) / wide, panels = left < t->panels ? left : t->panels;
  float *rows = (float *)(own + t->panel_bytes), *sums = rows + SPAN * LANES;
  const int waits = panels > 1 || t->depth < p->k;
  int64_t x = 0;
  do { // once where K is 0
    int64_t depth = p->k - x < t->depth ? p->k - x : t->depth, ends = x + t->depth >= p->k;
    for (int64_t i = 0; i < panels; i++) pack_panel(p, at, n + i * wide, x, depth, (float *)own + i * steps_of(depth) * PANEL, rows);
    for (int64_t s = first; s < last; s++) {
      int64_t top = strip_row(p, t, s), height = strip_row(p, t, s + 1) - top;
      for (int64_t i = 0; i < panels; i++) {
        float *to = waits ? sums + ((s - first) * panels + i) * STRIP * PANEL : sums;
        const float *strip = (const float *)c->scratch + ((batch * t->deal.strips + s) * steps_of(p->k) + x / V_PAIRS) * STRIP;
        tile(height, strip, (const float *)own + i * steps_of(depth) * PANEL, PANEL, steps_of(depth), to, PANEL, x > 0);
        if (!ends) continue;
        int64_t column = n + i * wide, count = p->n - column < wide ? p->n - column : wide;
        for (int64_t m = 0; m < height; m++) {
          vf a = v_load(to + m * PANEL), b = v_load(to + m * PANEL + LANES);
          finish(p, at, plain, top + m, column, count, a, b);
          if (p->sources == 1 && count > LANES) finish(p, at, plain, top + m, column + LANES, count - LANES, b, b);
        }
      }
    }
  } while ((x += t->depth) < p->k);
}

void MATMUL_NAME(bp_matmul_run)(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  cut t = cut_of(c, &p);
  char *own = (char *)c->scratch + t.a_bytes + t.own_bytes * worker;
  if (t.arranged && phase == 0) {
    arrange(c, &p, &t, begin, end, (float *)own);
    return;
  }
  int plain = finish_is_plain(&p);
  if (!t.dots) begin_tiles((p.m + t.deal.strips - 1) / t.deal.strips);
  for (uint64_t i = begin; i < end; i++) {
    bp_matmul_item item = bp_matmul_item_of(&p, &t.deal, i);
    bp_matmul_batch at = bp_matmul_batch_of(&p, item.batch);
    if (t.dots) {
      const float *a = t.arranged ? (const float *)c->scratch + item.batch * p.m * p.k : (const float *)at.a;
      run_dots(&p, &at, item.n, item.count, a, t.arranged ? p.k : p.a_row / 4, (float *)own, plain);
    } else {
      run_tiles(c, &p, &t, &at, item.batch, item.n, item.first, item.last, own, plain);
    }
  }
  if (!t.dots) end_tiles();
}
