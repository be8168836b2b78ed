// y[i] = scale * decode(table)[indices[i]], zeros for an index outside the table.
//
// table    [V, n] of any float or block format, rows any stride; indices of any shape and stride, i32 or i64.
// Variants differ in how a row is decoded.
// Scratch  one decoded row a worker.
// Error    one rounding for the scale, one for y's format.
#include "../shared/call.h"
#include "../shared/decode.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  const bp_cpu_view *t = &c->in[0], *x = &c->in[1];
  if (!t->dtype || !bp_cpu_decoder(t->dtype)) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  if (t->rank != 2) return bp_refuse(why, BP_REASON_RANK, 0, 2, t->rank);
  if (!bp_is_float(t->dtype) && t->stride[1] != t->block_bytes) return bp_refuse(why, BP_REASON_LAYOUT, 0, t->block_bytes, t->stride[1]);
  if (x->dtype != BP_FORMAT_I32 && x->dtype != BP_FORMAT_I64) return bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
  return bp_wants_float(&c->out[0], c->n_in, why);
}

static void plan(const bp_cpu_call *c, bp_cpu_plan *to) {
  uint64_t n = (uint64_t)bp_last(&c->out[0]);
  bp_plan_rows(to, &c->out[0], 1 << 14);
  to->scratch_bytes = (n * 4 + 63) / 64 * 64 * c->workers;
}

typedef void decode_row(bp_id format, const void *from, float *to, int64_t n);

static void rows(const bp_cpu_call *c, uint64_t begin, uint64_t end, uint32_t worker, decode_row *decode) {
  const bp_cpu_view *t = &c->in[0], *x = &c->in[1], *y = &c->out[0];
  int64_t n = bp_last(y), rows = t->extent[0];
  float scale = (float)bp_attr_float(c, BP_GATHER_SCALE, 1.0);
  float *row = (float *)((char *)c->scratch + (uint64_t)(n * 4 + 63) / 64 * 64 * worker);
  bp_row_walk out = bp_row_walk_of(y, y);
  for (uint64_t i = begin; i < end; i++) {
    const char *at = x->data;
    uint64_t rest = i;
    for (uint32_t d = x->rank; d-- > 0;) {
      at += (int64_t)(rest % (uint64_t)x->extent[d]) * x->stride[d];
      rest /= (uint64_t)x->extent[d];
    }
    int64_t index;
    int32_t narrow;
    if (x->dtype == BP_FORMAT_I64) memcpy(&index, at, 8);
    else memcpy(&narrow, at, 4), index = narrow;
    if (index < 0 || index >= rows) {
      memset(row, 0, (size_t)n * 4);
    } else {
      const char *from = (const char *)t->data + index * t->stride[0];
      if (t->stride[1] != t->block_bytes) bp_load_run(row, from, t->stride[1], (uint64_t)n, t->dtype);
      else decode(t->dtype, from, row, n);
      if (scale != 1.0f)
        for (int64_t j = 0; j < n; j++) row[j] *= scale;
    }
    bp_store_run(bp_row(&out, i), bp_last_stride(y), row, (uint64_t)n, y->dtype);
  }
}

static void run_scalar(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_cpu_decode_row);
}
const bp_cpu_kernel bp_cpu_gather_scalar = {.op = "gather", .name = "gather_scalar", .supports = supports, .plan = plan, .run = run_scalar};
#if defined(__x86_64__)
static void run_avx2(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_decode_avx2);
}
const bp_cpu_kernel bp_cpu_gather_avx2 = {.op = "gather", .name = "gather_avx2", .needs = BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run_avx2};

static void run_avx512(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_decode_avx512);
}
const bp_cpu_kernel bp_cpu_gather_avx512 = {.op = "gather", .name = "gather_avx512", .needs = BP_CPU_AVX512 | BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run_avx512};
#elif defined(__aarch64__)
static void run_neon(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_decode_neon);
}
const bp_cpu_kernel bp_cpu_gather_neon = {.op = "gather", .name = "gather_neon", .needs = BP_CPU_NEON, .supports = supports, .plan = plan, .run = run_neon};
#endif
