// cast between plain formats, portable C: any stride. Float to float rounds once; float to integer truncates and saturates, NaN
// gives 0; a narrower integer saturates; to bool is 1 where x is not 0.
#include "../shared/call.h"

static int is_known(bp_id f) {
  switch (f) {
  case BP_FORMAT_F32: case BP_FORMAT_F16: case BP_FORMAT_BF16: case BP_FORMAT_I8: case BP_FORMAT_U8: case BP_FORMAT_I32:
  case BP_FORMAT_I64: case BP_FORMAT_BOOL: return 1;
  default: return 0;
  }
}

static int64_t load_int(const char *p, bp_id format) {
  switch (format) {
  case BP_FORMAT_I8: return *(const int8_t *)p;
  case BP_FORMAT_I32: { int32_t x; memcpy(&x, p, 4); return x; }
  case BP_FORMAT_I64: { int64_t x; memcpy(&x, p, 8); return x; }
  case BP_FORMAT_BOOL: return *(const uint8_t *)p != 0;
  default: return *(const uint8_t *)p;
  }
}
static int64_t clamp(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }
static void store_int(char *p, bp_id format, int64_t x) {
  switch (format) {
  case BP_FORMAT_I8: *(int8_t *)p = (int8_t)clamp(x, INT8_MIN, INT8_MAX); return;
  case BP_FORMAT_U8: *(uint8_t *)p = (uint8_t)clamp(x, 0, UINT8_MAX); return;
  case BP_FORMAT_I32: { int32_t y = (int32_t)clamp(x, INT32_MIN, INT32_MAX); memcpy(p, &y, 4); return; }
  case BP_FORMAT_I64: memcpy(p, &x, 8); return;
  default: *(uint8_t *)p = x != 0;
  }
}
static int64_t truncated(float f) {
  if (f != f) return 0;
  if (f >= 9223372036854775808.0f) return INT64_MAX;
  return f <= -9223372036854775808.0f ? INT64_MIN : (int64_t)f;
}
// An f32 that rounds to 16 bits as x itself does: rounded to odd, so that no tie is made by rounding twice.
static float sticky(int64_t x) {
  uint64_t magnitude = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
  int shift = 0;
  while (magnitude >> 24) { magnitude = magnitude >> 1 | (magnitude & 1); shift++; }
  float f = ldexpf((float)magnitude, shift);
  return x < 0 ? -f : f;
}

static void cast_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const bp_cpu_call *c = context;
  bp_id to = c->out[0].dtype, from = c->in[0].dtype;
  for (uint64_t i = 0; i < n; i++) {
    char *y = p[0] + (int64_t)i * step[0];
    const char *x = p[1] + (int64_t)i * step[1];
    if (bp_is_float(from)) {
      float f = bp_load_one(x, from);
      if (bp_is_float(to)) bp_store_one(y, to, f);
      else store_int(y, to, to == BP_FORMAT_BOOL ? f != 0 : truncated(f));
    } else {
      int64_t v = load_int(x, from);
      if (bp_is_float(to)) bp_store_one(y, to, to == BP_FORMAT_F32 ? (float)v : sticky(v));
      else store_int(y, to, v);
    }
  }
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)phase, (void)worker;
  bp_walk w = bp_walk_over(c->out[0].extent, c->out[0].rank);
  bp_walk_add(&w, &c->out[0]);
  bp_walk_add(&w, &c->in[0]);
  bp_walk_merge(&w);
  bp_walk_run(&w, begin, end, cast_run, c);
}
static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!is_known(c->in[0].dtype)) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  return is_known(c->out[0].dtype) ? 1 : bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) { bp_plan_items(p, bp_elements(&c->out[0]), 8192); }

const bp_cpu_kernel bp_cpu_cast_scalar = {"cast", "cast_scalar", 0, 0, 0, 0, supports, plan, run};
