// dynamic_quantize, portable C: any stride.
//
// i8, q8_0  one phase, an item a row.
// u8        phase 0: each row's range into scratch; phase 1, one item: the range of all, its scale and zero point into scratch and
//           outputs; phase 2: the rows.
#include "../shared/call.h"
#include "../shared/quantise.h"

typedef struct range { float low, high; } range;              // of a row, 0 included
typedef struct parameters { float scale; int32_t zero; } parameters;
static uint64_t ranges_at(void) { return 64; }                // scratch: parameters, then a range a row

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  bp_id to = c->out[0].dtype;
  if (!bp_wants_float(&c->in[0], 0, why) || !bp_wants_rank(&c->in[0], 1, 0, why)) return 0;
  if (to != BP_FORMAT_Q8_0 && !bp_is_small(to)) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  if (to == BP_FORMAT_Q8_0 && bp_last(&c->in[0]) % 32) return bp_refuse(why, BP_REASON_DIM_MULTIPLE, 0, 32, bp_last(&c->in[0]));
  if (c->n_out > 1 && c->out[1].dtype && c->out[1].dtype != BP_FORMAT_F32) return bp_refuse(why, BP_REASON_DTYPE, 2, 0, 0);
  return c->n_out < 3 || !c->out[2].dtype || c->out[2].dtype == BP_FORMAT_U8 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 3, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  bp_plan_rows(p, &c->in[0], 8192);
  if (c->out[0].dtype != BP_FORMAT_U8) return;
  uint64_t rows = p->items[0], grain = p->grain[0];
  *p = (bp_cpu_plan){.phases = 3, .items = {rows, 1, rows}, .grain = {grain, 1, grain}, .scratch_bytes = ranges_at() + rows * sizeof(range)};
}

static range range_of(const char *x, int64_t step, int64_t n, bp_id format) {
  range r = {0, 0};
  for (int64_t i = 0; i < n; i++) {
    float v = bp_load_one(x + i * step, format);
    if (v < r.low) r.low = v;
    if (v > r.high) r.high = v;
  }
  return r;
}
static parameters asymmetric(range r) {
  float scale = (r.high - r.low) / 255;
  if (scale == 0) scale = 1;
  float zero = rintf(-r.low / scale);
  return (parameters){scale, zero >= 0 && zero <= 255 ? (int32_t)zero : zero > 255 ? 255 : 0};
}

static void write_parameters(const bp_cpu_call *c, uint64_t row, parameters p) {
  uint8_t zero = (uint8_t)p.zero;
  for (uint32_t i = 1; i < c->n_out; i++) {
    const bp_cpu_view *v = &c->out[i];
    if (!v->dtype) continue;
    char *at = v->data;
    if (c->out[0].dtype != BP_FORMAT_U8) { // [..., 1]: a value a row
      bp_row_walk rows = bp_row_walk_of(&c->in[0], v);
      at = bp_row(&rows, row);
    }
    if (i == 1) memcpy(at, &p.scale, 4); else memcpy(at, &zero, 1);
  }
}

static void quantise_row(const bp_cpu_call *c, char *y, const char *x, parameters p) {
  const bp_cpu_view *from = &c->in[0], *to = &c->out[0];
  int64_t sx = bp_last_stride(from), sy = bp_last_stride(to);
  for (int64_t i = 0; i < bp_last(from); i++)
    bp_store_quant(y + i * sy, to->dtype, bp_load_one(x + i * sx, from->dtype) / p.scale, p.zero);
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker;
  const bp_cpu_view *x = &c->in[0], *y = &c->out[0];
  bp_row_walk rows_x = bp_row_walk_of(x, x), rows_y = bp_row_walk_of(x, y);
  range *ranges = (range *)((char *)c->scratch + ranges_at());
  parameters *shared = c->scratch;
  if (phase == 1) {
    range all = {0, 0};
    for (uint64_t r = 0; r < bp_rows(x); r++) all = (range){fminf(all.low, ranges[r].low), fmaxf(all.high, ranges[r].high)};
    *shared = asymmetric(all);
    write_parameters(c, 0, *shared);
    return;
  }
  for (uint64_t r = begin; r < end; r++) {
    const char *from = bp_row(&rows_x, r);
    char *to = bp_row(&rows_y, r);
    if (y->dtype == BP_FORMAT_Q8_0) {
      float block[32];
      for (int64_t b = 0; b < bp_last(x) / 32; b++) {
        bp_load_run(block, from + 32 * b * bp_last_stride(x), bp_last_stride(x), 32, x->dtype);
        bp_quantise_q8_0(to + b * bp_last_stride(y), block);
      }
      write_parameters(c, r, (parameters){1, 0});
    } else if (y->dtype == BP_FORMAT_I8) {
      range own = range_of(from, bp_last_stride(x), bp_last(x), x->dtype);
      float scale = fmaxf(own.high, -own.low) / 127;
      parameters p = {scale == 0 ? 1 : scale, 0};
      quantise_row(c, to, from, p);
      write_parameters(c, r, p);
    } else if (phase == 0) {
      ranges[r] = range_of(from, bp_last_stride(x), bp_last(x), x->dtype);
    } else {
      quantise_row(c, to, from, *shared);
    }
  }
}

const bp_cpu_kernel bp_cpu_dynamic_quantize_scalar = {"dynamic_quantize", "dynamic_quantize_scalar", 0, 0, 0, 0, supports, plan, run};
