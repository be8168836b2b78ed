// transpose: y's dimension i is x's dimension permutation[i]. Plain formats, any stride.
#include "move.h"

// x with its dimensions in y's order; 0 when the permutation is none.
static int permuted(const bp_cpu_call *c, bp_cpu_view *x) {
  uint32_t count, rank = c->in[0].rank, seen = 0;
  const int64_t *order = bp_attr_ints(c, BP_TRANSPOSE_PERMUTATION, &count);
  *x = c->in[0];
  if ((count && count != rank) || c->out[0].rank != rank) return 0;
  for (uint32_t i = 0; i < rank; i++) {
    int from = bp_axis(count ? order[i] : (int64_t)rank - 1 - i, rank);
    if (from < 0) return 0;
    seen |= 1u << from;
    x->extent[i] = c->in[0].extent[from];
    x->stride[i] = c->in[0].stride[from];
  }
  return seen == (1u << rank) - 1;
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  bp_cpu_view x;
  if (!bp_same_format(c, why)) return 0;
  if (c->in[0].block_elements > 1) return bp_refuse(why, BP_REASON_DTYPE, 0, 1, c->in[0].block_elements);
  return permuted(c, &x) ? 1 : bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->in[0].rank, 0);
}
// Squares of this many units a side are copied together where y and x are dense along different dimensions: of both, whole cache lines.
enum { SIDE = 16 };

typedef struct squares {
  bp_walk walk;    // y, x
  uint32_t across; // the dimension that x is dense along; as large as the rank where runs along y's last dimension are as good
  uint64_t strips; // of SIDE along it
} squares;

static squares squares_of(const bp_cpu_call *c, const bp_cpu_view *x) {
  const bp_cpu_view *y = &c->out[0];
  squares s = {bp_walk_over(y->extent, y->rank), 0, 0};
  bp_walk *w = &s.walk;
  bp_walk_add(w, y);
  bp_walk_add(w, x);
  bp_walk_merge(w);
  int64_t unit = y->block_bytes;
  s.across = w->rank;
  if (w->rank < 2 || w->stride[0][w->rank - 1] != unit || w->stride[1][w->rank - 1] == unit) return s;
  for (uint32_t i = 0; i + 1 < w->rank; i++)
    if (w->stride[1][i] == unit) s.across = i;
  if (s.across < w->rank) s.strips = ((uint64_t)w->extent[s.across] + SIDE - 1) / SIDE;
  return s;
}

static inline __attribute__((always_inline)) void copy_square(uint64_t unit, char *y, int64_t y_row, const char *x, int64_t x_column, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < columns; i++) memcpy(y + r * y_row + i * (int64_t)unit, x + r * (int64_t)unit + i * x_column, unit);
}

// Strip `item`: SIDE rows of y, whole.
static void copy_strip(const squares *s, uint64_t item, uint64_t unit) {
  const bp_walk *w = &s->walk;
  const uint32_t last = w->rank - 1;
  int64_t first = (int64_t)(item % s->strips) * SIDE, rows = w->extent[s->across] - first < SIDE ? w->extent[s->across] - first : SIDE;
  char *y = w->data[0] + first * w->stride[0][s->across];
  const char *x = w->data[1] + first * (int64_t)unit;
  item /= s->strips;
  for (uint32_t i = last; i-- > 0;) {
    if (i == s->across) continue;
    int64_t at = (int64_t)(item % (uint64_t)w->extent[i]);
    item /= (uint64_t)w->extent[i];
    y += at * w->stride[0][i];
    x += at * w->stride[1][i];
  }
  for (int64_t i = 0; i < w->extent[last]; i += SIDE, y += SIDE * (int64_t)unit, x += SIDE * w->stride[1][last]) {
    int64_t columns = w->extent[last] - i < SIDE ? w->extent[last] - i : SIDE;
    switch (unit) {
#define CASE(n) case n: copy_square(n, y, w->stride[0][s->across], x, w->stride[1][last], rows, columns); break;
      CASE(1) CASE(2) CASE(4) CASE(8)
#undef CASE
    default: copy_square(unit, y, w->stride[0][s->across], x, w->stride[1][last], rows, columns);
    }
  }
}

static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  bp_cpu_view x;
  squares s = {0};
  if (permuted(c, &x)) s = squares_of(c, &x);
  if (s.strips == 0) { bp_plan_units(p, &c->out[0]); return; }
  uint64_t columns = (uint64_t)s.walk.extent[s.walk.rank - 1] + 1, items = s.strips;
  for (uint32_t i = 0; i + 1 < s.walk.rank; i++)
    if (i != s.across) items *= (uint64_t)s.walk.extent[i];
  bp_plan_items(p, items, 65536 / (SIDE * columns * c->out[0].block_bytes));
}
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_cpu_view x;
  permuted(c, &x);
  squares s = squares_of(c, &x);
  if (s.strips == 0) bp_copy_view(&c->out[0], &x, begin, end);
  else for (uint64_t i = begin; i < end; i++) copy_strip(&s, i, c->out[0].block_bytes);
}

const bp_cpu_kernel bp_cpu_transpose_scalar = {"transpose", "transpose_scalar", 0, 0, 0, 0, supports, plan, run};
