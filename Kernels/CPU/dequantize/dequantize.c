// y = decode(x), row by row.
//
// x        [..., n] of any block format, blocks of a row next to each other; y any strides.
// Variants differ in how a row is decoded.
// Scratch  one decoded row a worker.
// Error    none beyond the rounding to y's format.
#include "../shared/call.h"
#include "../shared/decode.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  const bp_cpu_view *x = &c->in[0];
  if (!x->dtype || !bp_cpu_decoder(x->dtype)) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  if (!bp_wants_rank(x, 1, 0, why)) return 0;
  if (x->stride[x->rank - 1] != x->block_bytes) return bp_refuse(why, BP_REASON_LAYOUT, 0, x->block_bytes, x->stride[x->rank - 1]);
  return bp_wants_float(&c->out[0], c->n_in, why);
}

static void plan(const bp_cpu_call *c, bp_cpu_plan *to) {
  bp_plan_rows(to, &c->out[0], 1 << 14);
  to->scratch_bytes = ((uint64_t)bp_last(&c->out[0]) * 4 + 63) / 64 * 64 * c->workers;
}

typedef void decode_row(bp_id format, const void *from, float *to, int64_t n);

static void rows(const bp_cpu_call *c, uint64_t begin, uint64_t end, uint32_t worker, decode_row *decode) {
  const bp_cpu_view *x = &c->in[0], *y = &c->out[0];
  int64_t n = bp_last(y), step = bp_last_stride(y);
  float *row = (float *)((char *)c->scratch + (uint64_t)(n * 4 + 63) / 64 * 64 * worker);
  bp_row_walk from = bp_row_walk_of(y, x), to = bp_row_walk_of(y, y);
  for (uint64_t i = begin; i < end; i++) {
    int direct = y->dtype == BP_FORMAT_F32 && step == 4;
    float *at = direct ? (float *)bp_row(&to, i) : row;
    decode(x->dtype, bp_row(&from, i), at, n);
    if (!direct) bp_store_run(bp_row(&to, i), step, row, (uint64_t)n, y->dtype);
  }
}

static void run_scalar(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_cpu_decode_row);
}
const bp_cpu_kernel bp_cpu_dequantize_scalar = {.op = "dequantize", .name = "dequantize_scalar", .supports = supports, .plan = plan, .run = run_scalar};
#if defined(__x86_64__)
static void run_avx2(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_decode_avx2);
}
const bp_cpu_kernel bp_cpu_dequantize_avx2 = {.op = "dequantize", .name = "dequantize_avx2", .needs = BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run_avx2};

static void run_avx512(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_decode_avx512);
}
const bp_cpu_kernel bp_cpu_dequantize_avx512 = {.op = "dequantize", .name = "dequantize_avx512", .needs = BP_CPU_AVX512 | BP_CPU_AVX2, .supports = supports, .plan = plan, .run = run_avx512};
#elif defined(__aarch64__)
static void run_neon(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase;
  rows(c, begin, end, worker, bp_decode_neon);
}
const bp_cpu_kernel bp_cpu_dequantize_neon = {.op = "dequantize", .name = "dequantize_neon", .needs = BP_CPU_NEON, .supports = supports, .plan = plan, .run = run_neon};
#endif
