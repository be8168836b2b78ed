// merge_attention, portable C: f32 f16 bf16, any stride, in double; y may be a. An item is a head of a token.
#include "../shared/call.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  for (uint32_t i = 0; i < 4; i++) if (c->in[i].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, i, 0, 0);
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 3, 0, why)) return 0;
  if (c->in[1].dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  if (c->in[2].dtype != c->in[0].dtype) return bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
  if (c->in[3].dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, 3, 0, 0);
  return c->out[0].dtype == 0 || c->out[0].dtype == c->in[0].dtype ? 1 : bp_refuse(why, BP_REASON_DTYPE, 4, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_rows(p, &c->in[0], 2048); }

// Rows of a tensor without a's last dimension: each of its elements is a row.
static bp_row_walk elements_of(const bp_cpu_view *shape, const bp_cpu_view *v) {
  bp_row_walk r = {bp_walk_over(shape->extent, shape->rank - 1)};
  bp_walk_add(&r.over, v);
  bp_walk_merge(&r.over);
  return r;
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  const bp_cpu_view *a = &c->in[0], *b = &c->in[2], *y = &c->out[0], *lse = &c->out[1];
  bp_row_walk rows_a = bp_row_walk_of(a, a), rows_b = bp_row_walk_of(a, b), rows_y = bp_row_walk_of(a, y);
  bp_row_walk of_a = elements_of(a, &c->in[1]), of_b = elements_of(a, &c->in[3]), of_y = elements_of(a, lse);
  int wants_lse = c->n_out > 1 && lse->dtype;
  for (uint64_t r = begin; r < end; r++) {
    double la = bp_load_one(bp_row(&of_a, r), BP_FORMAT_F32), lb = bp_load_one(bp_row(&of_b, r), BP_FORMAT_F32);
    double largest = la > lb || la != la ? la : lb;
    double wa = la == -INFINITY ? 0 : exp(la - largest), wb = lb == -INFINITY ? 0 : exp(lb - largest), total = wa + wb;
    if (wants_lse) bp_store_one(bp_row(&of_y, r), BP_FORMAT_F32, (float)(largest == -INFINITY ? largest : largest + log(total)));
    if (!y->dtype) continue;
    const char *pa = bp_row(&rows_a, r), *pb = bp_row(&rows_b, r);
    char *py = bp_row(&rows_y, r);
    for (int64_t e = 0; e < bp_last(a); e++) {
      double sum = 0;
      if (wa != 0) sum += wa / total * bp_load_one(pa + e * bp_last_stride(a), a->dtype);
      if (wb != 0) sum += wb / total * bp_load_one(pb + e * bp_last_stride(b), a->dtype);
      bp_store_one(py + e * bp_last_stride(y), a->dtype, (float)sum);
    }
  }
}

const bp_cpu_kernel bp_cpu_merge_attention_scalar = {"merge_attention", "merge_attention_scalar", 0, 0, 0, 0, supports, plan, run};
