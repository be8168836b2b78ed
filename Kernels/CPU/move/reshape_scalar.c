// reshape: the same elements in row-major order. The plugin makes it a view where it can; this copies where it cannot.
#include "move.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_same_format(c, why); }
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_units(p, &c->out[0]); }

// The two sides have different shapes, so each piece is found twice: at most one run of either side at a time.
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_cpu_view y = bp_in_units(&c->out[0]), x = bp_in_units(&c->in[0]);
  if (y.data == x.data) return;
  bp_row_walk rows_y = bp_row_walk_of(&y, &y), rows_x = bp_row_walk_of(&x, &x);
  uint64_t row_y = (uint64_t)bp_last(&y), row_x = (uint64_t)bp_last(&x);
  for (uint64_t at = begin; at < end;) {
    uint64_t in_y = at % row_y, in_x = at % row_x, n = end - at;
    if (n > row_y - in_y) n = row_y - in_y;
    if (n > row_x - in_x) n = row_x - in_x;
    int64_t step[2] = {bp_last_stride(&y), bp_last_stride(&x)};
    char *p[2] = {bp_row(&rows_y, at / row_y) + (int64_t)in_y * step[0], bp_row(&rows_x, at / row_x) + (int64_t)in_x * step[1]};
    bp_copy_units(p, step, n, &y.block_bytes);
    at += n;
  }
}

const bp_cpu_kernel bp_cpu_reshape_scalar = {"reshape", "reshape_scalar", 0, 0, 0, 0, supports, plan, run};
