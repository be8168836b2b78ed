// y = activation(a * b^T + bias) + residual and the gated pair of products for weights in block formats, activations rounded to 8 bits
// with an f32 scale for each 32 of them, in the names of i8_*.h.
//
// a, b, y   as matmul_scalar; leading dimensions broadcast. k is whole blocks.
// Sums      whole numbers over the elements that share a scale, exact; float beyond.
// Few rows  take the weights as they are stored (dots up to 2 or 4 of them, quads, where there are such, up to 8), more rows panels of 2 LANES columns that are unpacked once, against strips.
// Tiles     (i8_tiles.h) take strips of 16 rows; a few rows are left to the kernel of I8_FEW, an instruction set, which takes the weights as they are stored.
// Scratch   a as i8_rows.h has it, what undoes its powers of 2; a panel a worker.
// Phases    round a; then blocks of output columns.
// Declared  act_block 32.
#include "i8_products.h"
#include "finish.h"
#include "i8_parameters.h"

typedef struct i8_cut {
  int code, dots, quads; // dots: weights as they are stored
  bp_matmul_deal deal;
  int64_t groups, row_bytes, batch_bytes;  // of a: groups along k; of a row (dots) or a strip; of a batch
  uint64_t a_bytes, factor_bytes, own_bytes;
} i8_cut;

static i8_cut i8_cut_of(const bp_cpu_call *c, const bp_matmul *p) {
  i8_cut t = {.code = i8_code_of(p->b[0].dtype), .deal.shares = 1};
  t.quads = !I8_TILES && p->m > i8_dot_most(t.code) && p->m <= I8_QUAD_MOST;
  t.dots = !I8_TILES && (t.quads || p->m <= i8_dot_most(t.code)) && p->m <= i8_choice(c, I8_FEW_ROWS);
  t.deal.columns = p->sources == 2 || t.dots ? LANES : I8_PANEL;
  t.deal.blocks = (p->n + t.deal.columns - 1) / t.deal.columns;
  t.groups = i8_groups(p->k);
  t.deal.strips = (p->m + I8_STRIP - 1) / I8_STRIP;
  t.quads &= t.dots;
  t.row_bytes = t.groups * (t.quads ? i8_quad_bytes(t.code) : t.dots ? i8_dot_bytes(t.code) : i8_strip_bytes(t.code, I8_STRIP));
  t.batch_bytes = t.row_bytes * (t.dots ? p->m : t.deal.strips);
  if (!t.dots) t.deal.shares = bp_matmul_shares(p, &t.deal, i8_choice(c, I8_ITEMS) * (int64_t)c->workers);
  // One size for all ways, growing with every extent: bounds must hold what the actual extents need.
  uint64_t rows = (uint64_t)(p->m + 2 * I8_STRIP), quads = (uint64_t)(p->m < I8_QUAD_MOST ? p->m : I8_QUAD_MOST);
  t.a_bytes = bp_round_up((uint64_t)(p->batches * t.groups) * (rows * (uint64_t)i8_dot_bytes(t.code) + quads * (uint64_t)i8_quad_bytes(t.code)), 64);
  t.factor_bytes = bp_round_up((uint64_t)p->batches * rows * 4, 64);
  t.own_bytes = bp_round_up((uint64_t)(t.groups + 1) * (uint64_t)i8_panel_bytes(t.code) + I8_STRIP * I8_PANEL * 4 + (uint64_t)p->k * 4, 64);
  return t;
}

static void i8_plan(const bp_cpu_call *c, bp_cpu_plan *plan, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  i8_cut t = i8_cut_of(c, &p);
  uint64_t bytes = 1;
  for (uint32_t s = 0; s < p.sources; s++) bytes += (uint64_t)(t.deal.columns * p.k * p.b[s].block_bytes / p.b[s].block_elements);
  *plan = (bp_cpu_plan){.phases = 2, .items = {(uint64_t)(p.batches * (t.dots ? p.m : t.deal.strips)), (uint64_t)(t.deal.blocks * t.deal.shares * p.batches)},
                        .grain = {1 + (1 << 14) / (uint64_t)(p.k + 1), t.dots ? 1 + (24 << 10) / bytes : 1}};
  plan->scratch_bytes = t.a_bytes + t.factor_bytes + t.own_bytes * c->workers;
}

static int64_t i8_strip_row(const bp_matmul *p, const i8_cut *t, int64_t strip) { return strip * p->m / t->deal.strips; }

// A row of a as floats, in `room` where it is not that already.
static const float *i8_dense_row(const bp_matmul *p, const char *a, float *room) {
  if (p->a.dtype == BP_FORMAT_F32 && p->a_step == 4) return (const float *)a;
  if (p->a_step == p->a.block_bytes) V_NAME(bp_decode)(p->a.dtype, a, room, p->k);
  else bp_load_run(room, a, p->a_step, (uint64_t)p->k, p->a.dtype);
  return room;
}

static void i8_round(const bp_cpu_call *c, const bp_matmul *p, const i8_cut *t, uint64_t begin, uint64_t end, float *own) {
  int zero = i8_zero_of(t->code);
  float *factors = (float *)((char *)c->scratch + t->a_bytes);
  int64_t each = t->dots ? p->m : t->deal.strips;
  for (uint64_t i = begin; i < end; i++) {
    int64_t batch = (int64_t)i / each, index = (int64_t)i % each;
    int64_t first = t->dots ? index : i8_strip_row(p, t, index), last = t->dots ? index + 1 : i8_strip_row(p, t, index + 1);
    bp_matmul_batch at = bp_matmul_batch_of(p, batch);
    char *to = (char *)c->scratch + batch * t->batch_bytes + index * t->row_bytes;
    for (int64_t m = first; m < last; m++) {
      const float *row = i8_dense_row(p, at.a + m * p->a_row, own);
      float factor = i8_row_factor(row, p->k);
      factors[batch * p->m + m] = 1 / factor;
      for (int64_t g = 0; g < t->groups; g++) {
        i8_group group;
        i8_quantise(row, g * I8_GROUP, p->k, factor, &group);
        if (t->quads) i8_store_quads(t->code, zero, &group, to + g * i8_quad_bytes(t->code));
        else if (t->dots) i8_store_dot(t->code, zero, &group, g, to + g * i8_dot_bytes(t->code));
        else i8_store_strip(t->code, zero, &group, I8_STRIP, m - first, to + g * i8_strip_bytes(t->code, I8_STRIP));
      }
    }
    for (int64_t r = last - first; !t->dots && r < I8_STRIP; r++) { // rows that do not exist; they are multiplied, their results dropped
      i8_group group = {0};
      for (int64_t g = 0; g < t->groups; g++) i8_store_strip(t->code, zero, &group, I8_STRIP, r, to + g * i8_strip_bytes(t->code, I8_STRIP));
    }
  }
}

#if !I8_TILES
// Columns n … n + count (LANES at most) of source s, for the rows from `a` on.
static void i8_dot_columns(const bp_matmul *p, const bp_matmul_batch *at, const i8_cut *t, uint32_t s, int64_t n, int64_t count, const char *a, vf sums[LANES + 3][I8_DOT_MOST]) {
  const int64_t columns = p->m <= 2 ? 4 : 2, span = i8_span(p->m * i8_dot_bytes(t->code)); // as dots_… have them
  memset(sums, 0, sizeof(vf) * (LANES + 3) * I8_DOT_MOST);
  for (int64_t x = 0; x < p->k; x += span)
    for (int64_t i = 0; i < count; i += columns) {
      const uint8_t *w[4];
      for (int64_t j = 0; j < columns; j++)
        w[j] = (const uint8_t *)at->b[s] + (n + (i + j < count ? i + j : i)) * p->b_row[s] + x / i8_step(t->code) * i8_step_bytes(t->code);
      i8_table[t->code].dots((int)p->m, w, a + x / I8_GROUP * i8_dot_bytes(t->code), t->row_bytes, p->k - x < span ? p->k - x : span, sums + i);
    }
}

// The same by quads, as numbers: sums[m][i].
static void i8_quad_columns(const bp_matmul *p, const bp_matmul_batch *at, const i8_cut *t, uint32_t s, int64_t n, int64_t count, const char *a, float sums[][LANES]) {
  const int64_t span = i8_span(p->m * i8_quad_bytes(t->code));
  vf wide[LANES / 8][I8_QUAD_MOST ? I8_QUAD_MOST : 1][2];
  memset(wide, 0, sizeof wide);
  for (int64_t x = 0; x < p->k; x += span)
    for (int64_t i = 0; i < count; i += 8) {
      const uint8_t *w[8];
      for (int64_t j = 0; j < 8; j++)
        w[j] = (const uint8_t *)at->b[s] + (n + (i + j < count ? i + j : i)) * p->b_row[s] + x / i8_step(t->code) * i8_step_bytes(t->code);
      i8_table[t->code].quads(p->m, w, a + x / I8_GROUP * i8_quad_bytes(t->code), t->row_bytes, p->k - x < span ? p->k - x : span, wide[i / 8]);
    }
  for (int64_t m = 0; m < p->m; m++)
    for (int64_t i = 0; i < LANES; i++) {
      const float *x = (const float *)&wide[i / 8][m][i / 4 % 2];
      sums[m][i] = (x[i % 4] + x[4 + i % 4]) + (x[8 + i % 4] + x[12 + i % 4]);
    }
}

static void i8_run_dots(const bp_matmul *p, const bp_matmul_batch *at, const i8_cut *t, int64_t n, int64_t count, const char *a, const float *factors, int plain) {
  vf wide[LANES + 3][I8_DOT_MOST];
  float sums[2][I8_QUAD_MOST > I8_DOT_MOST ? I8_QUAD_MOST : I8_DOT_MOST][LANES];
  for (uint32_t s = 0; s < p->sources; s++) {
    if (t->quads) i8_quad_columns(p, at, t, s, n, count, a, sums[s]);
    else i8_dot_columns(p, at, t, s, n, count, a, wide);
    for (int64_t m = 0; m < p->m; m++) {
      for (int64_t i = 0; i < LANES && !t->quads; i += 4) v_store_sums(&sums[s][m][i], wide[i][m], wide[i + 1][m], wide[i + 2][m], wide[i + 3][m]);
      v_store(sums[s][m], v_mul(v_load(sums[s][m]), v_set(factors[m])));
    }
  }
  for (int64_t m = 0; m < p->m; m++) finish(p, at, plain, m, n, count, v_load(sums[0][m]), v_load(sums[p->sources - 1][m]));
}

#endif

static void i8_run_tiles(const bp_matmul *p, const bp_matmul_batch *at, const i8_cut *t, int64_t n, int64_t count, int64_t first, int64_t last,
                         const char *a, const float *factors, char *panel, int plain) {
  float *sums = (float *)(panel + t->groups * i8_panel_bytes(t->code));
  for (int64_t h = 0; h < 2; h++) {
    uint32_t s = p->sources == 2 ? (uint32_t)h : 0;
    int64_t from = p->sources == 2 ? 0 : LANES * h;
    if (count > from) i8_table[t->code].pack((const uint8_t *)at->b[s] + (n + from) * p->b_row[s], p->b_row[s], count - from < LANES ? count - from : LANES, p->k, h, panel);
  }
  for (int64_t i = first; i < last; i++) {
    int64_t top = i8_strip_row(p, t, i), rows = i8_strip_row(p, t, i + 1) - top;
    i8_table[t->code].tile(rows, a + i * t->row_bytes, panel, p->k, sums);
    for (int64_t m = 0; m < rows; m++) {
      vf factor = v_set(factors[top + m]), x = v_mul(v_load(sums + m * I8_PANEL), factor), y = v_mul(v_load(sums + m * I8_PANEL + LANES), factor);
      finish(p, at, plain, top + m, n, count, x, y);
      if (p->sources == 1 && count > LANES) finish(p, at, plain, top + m, n + LANES, count - LANES, y, y);
    }
  }
}

static void i8_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated) {
  bp_matmul p = bp_matmul_of(c, gated);
  if (p.m == 0) return;
  i8_cut t = i8_cut_of(c, &p);
  char *own = (char *)c->scratch + t.a_bytes + t.factor_bytes + t.own_bytes * worker;
  if (phase == 0) {
    i8_round(c, &p, &t, begin, end, (float *)own);
    return;
  }
  int plain = finish_is_plain(&p);
  i8_begin_tiles(t.code, (p.m + t.deal.strips - 1) / t.deal.strips);
  for (uint64_t i = begin; i < end; i++) {
    bp_matmul_item item = bp_matmul_item_of(&p, &t.deal, i);
    bp_matmul_batch at = bp_matmul_batch_of(&p, item.batch);
    const char *a = (const char *)c->scratch + item.batch * t.batch_bytes;
    const float *factors = (const float *)((char *)c->scratch + t.a_bytes) + item.batch * p.m;
#if !I8_TILES
    if (t.dots) {
      i8_run_dots(&p, &at, &t, item.n, item.count, a, factors, plain);
      continue;
    }
#endif
    i8_run_tiles(&p, &at, &t, item.n, item.count, item.first, item.last, a, factors, own, plain);
  }
  i8_end_tiles();
}

static int i8_supports(const bp_cpu_call *c, int gated, bp_cpu_refusal *why) {
  if (!bp_matmul_supported(c, gated, why)) return 0;
  for (uint32_t s = 1; s <= (gated ? 2u : 1u); s++)
    if (i8_code_of(c->in[s].dtype) == I8_CODES || c->in[s].dtype != c->in[1].dtype) return bp_refuse(why, BP_REASON_DTYPE, s, 0, 0);
  return gated || bp_attr_int(c, BP_MATMUL_TRANSPOSE_B, 1) == 1 ? 1 : bp_refuse(why, BP_REASON_ATTRIBUTE, 1, 1, 0);
}

#if I8_TILES
#define I8_JOINED(op, isa) bp_cpu_##op##_i8_##isa
#define I8_KERNEL_OF(op, isa) I8_JOINED(op, isa)
extern const bp_cpu_kernel I8_KERNEL_OF(matmul, I8_FEW), I8_KERNEL_OF(matmul_gated, I8_FEW);
static const bp_cpu_kernel *i8_kernel_of_few(int gated) { return gated ? &I8_KERNEL_OF(matmul_gated, I8_FEW) : &I8_KERNEL_OF(matmul, I8_FEW); }
static int i8_is_few(const bp_cpu_call *c, int gated) { return bp_matmul_of(c, gated).m <= i8_choice(c, I8_FEW_ROWS); }

// Scratch for both: at bounds of many rows there may be few.
static void i8_plan_all(const bp_cpu_call *c, bp_cpu_plan *plan, int gated) {
  bp_cpu_plan tiles, few;
  i8_plan(c, &tiles, gated);
  i8_kernel_of_few(gated)->plan(c, &few);
  *plan = i8_is_few(c, gated) ? few : tiles;
  plan->scratch_bytes = few.scratch_bytes > tiles.scratch_bytes ? few.scratch_bytes : tiles.scratch_bytes;
}
static void i8_run_all(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated) {
  if (i8_is_few(c, gated)) i8_kernel_of_few(gated)->run(c, phase, begin, end, worker);
  else i8_run(c, phase, begin, end, worker, gated);
}
#else
#define i8_plan_all i8_plan
#define i8_run_all i8_run
#endif

static int matmul_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return i8_supports(c, 0, why); }
static void matmul_plan(const bp_cpu_call *c, bp_cpu_plan *to) { i8_plan_all(c, to, 0); }
static void matmul_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { i8_run_all(c, phase, begin, end, worker, 0); }
static int gated_supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return i8_supports(c, 1, why); }
static void gated_plan(const bp_cpu_call *c, bp_cpu_plan *to) { i8_plan_all(c, to, 1); }
static void gated_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { i8_run_all(c, phase, begin, end, worker, 1); }

// The kernels of one instruction set: matmul_i8_<isa> and matmul_gated_i8_<isa>.
#define I8_KERNELS(isa, bits)                                                                                                          \
  const bp_cpu_kernel bp_cpu_matmul_i8_##isa = {"matmul", "matmul_i8_" #isa, bits, I8_UNIT, 0, 0, matmul_supports, matmul_plan, matmul_run, i8_parameters, I8_PARAMETERS};   \
  const bp_cpu_kernel bp_cpu_matmul_gated_i8_##isa = {"matmul_gated", "matmul_gated_i8_" #isa, bits, I8_UNIT, 0, 0, gated_supports, gated_plan, gated_run, i8_parameters, I8_PARAMETERS};
