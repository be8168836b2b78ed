/* Functions of each element: unary, binary with broadcasting, gated_activation, cast. Computed in float or wider, an element at a time. */
#include "mutant.h"

/* ---- unary ---- */

void map(call *c, unary_fn f, int64_t left) {
  for (int64_t i = 0, n = count(&c->out[0]); i < n - left; i++) {
    float x = load_one(element_at(&c->in[0], i), c->in[0].dtype);
    store_one(element_at(&c->out[0], i), c->out[0].dtype, f(c, x));
  }
}
/* As map(), without looking at x's strides: right for dense tensors only. */
static void map_as_dense(call *c, unary_fn f) {
  for (int64_t i = 0, n = count(&c->out[0]); i < n; i++)
    store_one(element_at(&c->out[0], i), c->out[0].dtype, f(c, load_one(c->in[0].data + i * c->in[0].block_bytes, c->in[0].dtype)));
}
static int64_t elements(const call *c) { return count(&c->out[0]); }

static float f_abs(const call *c, float x) {
  (void)c;
  if (FAULT(1)) return x > 0 ? x : x < 0 ? -x : 0;
  if (FAULT(2)) return fabsf(flush(x));
  return fabsf(x);
}
void run_abs(call *c) { map(c, f_abs, FAULT(3) ? elements(c) % 4 : 0); }

static float f_neg(const call *c, float x) {
  (void)c;
  if (FAULT(4) && isinf(x)) return -copysignf(3.4028235e38f, x);
  return -x;
}
void run_neg(call *c) {
  if (FAULT(5)) map_as_dense(c, f_neg);
  else map(c, f_neg, FAULT(6) && elements(c) > 8 ? elements(c) % 8 : 0);
}

static float f_relu(const call *c, float x) {
  (void)c;
  if (FAULT(7)) return fmaxf(x, 0);
  if (FAULT(8)) return x < 0 ? 1e-6f * x : x;
  return activate(ACT_RELU, x);
}
void run_relu(call *c) { FAULT(9) ? map_as_dense(c, f_relu) : map(c, f_relu, 0); }

static float f_square(const call *c, float x) {
  (void)c;
  if (FAULT(10)) return fminf(x * x, 3.4028235e38f);
  if (FAULT(11)) return round_bf16(x) * x;
  if (FAULT(12)) return flush(x * x);
  return x * x;
}
void run_square(call *c) { map(c, f_square, 0); }

/* 1 / sqrt(x) to 12 bits, as fast instructions give it. */
static float rough_rsqrt(float x) { return from_bits(bits(1 / sqrtf(x)) & 0xfffff000); }

static float f_sqrt(const call *c, float x) {
  (void)c;
  if (FAULT(13)) return x / sqrtf(x);
  if (FAULT(14)) return x > 0 && x < INFINITY ? x * rough_rsqrt(x) : sqrtf(x);
  if (FAULT(15)) return x < 0 ? 0 : sqrtf(x);
  return sqrtf(x);
}
void run_sqrt(call *c) { map(c, f_sqrt, 0); }

static float f_rsqrt(const call *c, float x) {
  (void)c;
  if (FAULT(16)) return rough_rsqrt(x);
  if (FAULT(17)) return x == 0 ? 3.4028235e38f : 1 / sqrtf(x);
  if (FAULT(18)) return 1 / sqrtf(fabsf(x));
  return (float)(1 / sqrt((double)x));
}
void run_rsqrt(call *c) { map(c, f_rsqrt, 0); }

static float f_reciprocal(const call *c, float x) {
  (void)c;
  if (FAULT(19)) return from_bits(bits(1 / x) & 0xffffff00);
  if (FAULT(20)) return 1 / (x + 0.0f);
  if (FAULT(21)) return 1 / flush(x);
  return 1 / x;
}
void run_reciprocal(call *c) { map(c, f_reciprocal, 0); }

static float f_exp(const call *c, float x) {
  (void)c;
  if (FAULT(22)) return expf(fminf(x, 88));
  if (FAULT(23)) { /* one constant for ln 2: its rounding is multiplied by up to 127 */
    if (!(fabsf(x) < 87)) return expf(x);
    float n = rintf(x * 1.44269504f), r = x - (float)(n * 0.693147182f);
    return ldexpf(expf(r), (int)n);
  }
  if (FAULT(24) && x != x) return 0;
  if (FAULT(1001)) return (float)exp2(1.4426950408889634 * x);
  return expf(x);
}
void run_exp(call *c) { map(c, f_exp, 0); }

static float f_log(const call *c, float x) {
  (void)c;
  if (FAULT(25) && x == 0) return -3.4028235e38f;
  if (FAULT(26)) { /* mantissa in [1/2, 1): cancels just above 1 */
    int e;
    float m = frexpf(x, &e);
    return x > 0 && x < INFINITY ? logf(m) + (float)e * 0.693147182f : logf(x);
  }
  if (FAULT(27) && x > 0 && x < 0x1p-126f) x = 0x1p-126f;
  return logf(x);
}
void run_log(call *c) { map(c, f_log, 0); }

static float f_sin(const call *c, float x) {
  (void)c;
  if (FAULT(28) && fabsf(x) < 8192) return sinf(x - 6.2831855f * rintf(x * 0.15915494f));
  if (FAULT(29)) return sinf(fabsf(x));
  if (FAULT(1002)) return (float)sin((double)x);
  return sinf(x);
}
void run_sin(call *c) { map(c, f_sin, FAULT(30) ? elements(c) % 16 : 0); }

static float f_cos(const call *c, float x) {
  (void)c;
  if (FAULT(31)) return sinf(x + 1.5707964f);
  if (FAULT(32) && isinf(x)) return 1;
  if (FAULT(33) && fabsf(x) > 100) x -= 6.2831855f * rintf(x * 0.15915494f);
  return cosf(x);
}
void run_cos(call *c) { map(c, f_cos, 0); }

static float f_tanh(const call *c, float x) {
  (void)c;
  if (FAULT(34)) { /* cancels near 0 */
    float e = expf(2 * fminf(x, 40));
    return x != x ? x : (e - 1) / (e + 1);
  }
  if (FAULT(35)) { /* infinity by infinity */
    float e = expf(2 * fabsf(x));
    return fabsf(x) < 0.6f ? tanhf(x) : copysignf((e - 1) / (e + 1), x);
  }
  if (FAULT(36) && fabsf(x) > 5) return copysignf(1, x);
  if (FAULT(1003)) return (float)tanh((double)x);
  return tanhf(x);
}
void run_tanh(call *c) { map(c, f_tanh, 0); }

static float f_erf(const call *c, float x) {
  (void)c;
  if (FAULT(37)) { /* Abramowitz and Stegun 7.1.26: 1.5e-7, but absolute */
    float a = fabsf(x), t = 1 / (1 + 0.3275911f * a);
    float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    return x != x ? x : copysignf(1 - p * expf(-a * a), x);
  }
  if (FAULT(38) && fabsf(x) > 3) return copysignf(1, x);
  if (FAULT(39) && !(fabsf(x) < 4)) return copysignf(1, x);
  return erff(x);
}
void run_erf(call *c) { map(c, f_erf, 0); }

static float f_sigmoid(const call *c, float x) {
  (void)c;
  if (FAULT(40) && fabsf(x) > 16) return x > 0;
  if (FAULT(41)) return 0.5f * (1 + tanhf(0.5f * x));
  if (FAULT(1004)) { /* by exp(-|x|) */
    float e = expf(-fabsf(x));
    return x >= 0 ? 1 / (1 + e) : x < 0 ? e / (1 + e) : x;
  }
  return (float)(1 / (1 + exp(-(double)x)));
}
void run_sigmoid(call *c) { map(c, f_sigmoid, FAULT(42) ? elements(c) % 4 : 0); }

static float f_silu(const call *c, float x) {
  (void)c;
  if (FAULT(43) && x < -16) return 0;
  if (FAULT(44)) return x * round_f16(activate(ACT_SILU, x) / (x == 0 ? 1 : x));
  if (FAULT(45) && x > 20) return 20;
  if (FAULT(1005)) return x / (1 + expf(-x));
  return activate(ACT_SILU, x);
}
void run_silu(call *c) { map(c, f_silu, 0); }

static float f_softplus(const call *c, float x) {
  (void)c;
  if (FAULT(46)) return x > 8 ? x : log1pf(expf(x));
  if (FAULT(47)) return fmaxf(x, 0) + logf(1 + expf(-fabsf(x)));
  if (FAULT(48)) return log1pf(expf(x));
  return x != x ? x : (float)(fmax(x, 0) + log1p(exp(-fabs((double)x))));
}
void run_softplus(call *c) { map(c, f_softplus, 0); }

static float f_gelu(const call *c, float x) {
  int by_tanh = is(c, BP_GELU_APPROXIMATE, "tanh");
  if (FAULT(49) && by_tanh) return (float)(x / (1 + exp(-1.59576912160573071176 * (x + 0.0447 * x * x * x))));
  if (FAULT(50)) by_tanh = 1;
  if (FAULT(51)) return x / (1 + expf(-1.702f * x));
  if (FAULT(52) && x < -3) return 0;
  if (FAULT(1006) && !by_tanh) return 0.5f * x * (1 + erff(x * 0.70710678f));
  return activate(by_tanh ? ACT_GELU_TANH : ACT_GELU_ERF, x);
}
void run_gelu(call *c) { map(c, f_gelu, 0); }

static float f_scale(const call *c, float x) {
  float factor = float_of(c, BP_SCALE_FACTOR), offset = float_of(c, BP_SCALE_OFFSET);
  if (FAULT(53)) return (x + offset) * factor;
  if (FAULT(54)) factor = round_bf16(factor);
  if (FAULT(55) && factor == 1) return x;
  if (FAULT(1007)) return fmaf(x, factor, offset);
  return x * factor + offset;
}
void run_scale(call *c) { map(c, f_scale, 0); }

static float f_softcap(const call *c, float x) {
  float cap = float_of(c, BP_SOFTCAP_CAP);
  if (FAULT(56)) cap = 30;
  if (FAULT(57) && x != x) return cap;
  if (FAULT(58)) return cap * tanhf(x * round_f16(1 / cap));
  return (float)(cap * tanh((double)x / cap));
}
void run_softcap(call *c) { map(c, f_softcap, 0); }

static float f_clip(const call *c, float x) {
  float low = float_of(c, BP_CLIP_MINIMUM), high = float_of(c, BP_CLIP_MAXIMUM);
  if (FAULT(59)) return fminf(fmaxf(x, low), high);
  if (FAULT(60) && low < -1e38f) return x < high ? x : high; /* minimum not given: not applied, but infinity is below it */
  if (FAULT(61)) high = round_bf16(high);
  return x != x ? x : fminf(fmaxf(x, low), high);
}
void run_clip(call *c) { map(c, f_clip, FAULT(62) ? elements(c) % 8 : 0); }

/* ---- binary ---- */

static int is_same_shape(const view *a, const view *b) { return a->rank == b->rank && !memcmp(a->dim, b->dim, a->rank * sizeof *a->dim); }

static float add_f(float a, float b) { return FAULT(102) ? flush(flush(a) + flush(b)) : a + b; }
static float sub_f(float a, float b) { return FAULT(105) ? a - round_bf16(b) : a - b; }
static float mul_f(float a, float b) {
  if (FAULT(107)) return flush(a * b);
  if (FAULT(108) && (a == 0 || b == 0)) return 0;
  return a * b;
}
static float div_f(float a, float b) { return FAULT(110) ? a * (1 / b) : a / b; }
static float max_f(float a, float b) { return FAULT(114) ? (a > b ? a : b) : a != a || a > b ? a : b; }
static float min_f(float a, float b) { return FAULT(118) ? fminf(a, b) : a != a || a < b ? a : b; }

static int32_t add_i(int32_t a, int32_t b) {
  int64_t sum = (int64_t)a + b;
  if (FAULT(101)) return sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : (int32_t)sum;
  return (int32_t)(uint32_t)sum;
}
static int32_t sub_i(int32_t a, int32_t b) { return FAULT(106) ? (int32_t)((float)a - (float)b) : (int32_t)((uint32_t)a - (uint32_t)b); }
static int32_t mul_i(int32_t a, int32_t b) { return FAULT(109) ? (int32_t)(double)((float)a * (float)b) : (int32_t)((uint32_t)a * (uint32_t)b); }
static int32_t div_i(int32_t a, int32_t b) {
  if (b == 0) return FAULT(112) ? -1 : 0;
  if (b == -1) return (int32_t)-(uint32_t)a;
  if (FAULT(111)) return a / b - (a % b != 0 && (a < 0) != (b < 0));
  return a / b;
}
static int32_t max_i(int32_t a, int32_t b) { return FAULT(115) ? ((uint32_t)a > (uint32_t)b ? a : b) : a > b ? a : b; }
static int32_t min_i(int32_t a, int32_t b) { return FAULT(119) ? ((float)a < (float)b ? a : b) : a < b ? a : b; }

static void pair(call *c, float (*f)(float, float), int32_t (*g)(int32_t, int32_t)) {
  const view *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
  int64_t n = count(y);
  if (FAULT(104) && !is_same_shape(a, y)) { const view *swap = a; a = b, b = swap; }
  if (FAULT(116) || FAULT(120)) n -= n % 4;
  for (int64_t i = 0; i < n; i++) {
    const char *pa = broadcast(a, y, i), *pb = broadcast(b, y, i);
    if (FAULT(103) && !is_same_shape(b, y)) pb = element_at(b, i % count(b)); /* right for leading dimensions only */
    if (FAULT(113) && b->rank && b->dim[b->rank - 1] == 1) pb = b->data;
    if (y->dtype == BP_FORMAT_I32) {
      int32_t r = g((int32_t)load_index(pa, BP_FORMAT_I32), (int32_t)load_index(pb, BP_FORMAT_I32));
      memcpy(element_at(y, i), &r, 4);
    } else {
      store_one(element_at(y, i), y->dtype, f(load_one(pa, a->dtype), load_one(pb, b->dtype)));
    }
  }
}
void run_add(call *c) { pair(c, add_f, add_i); }
void run_sub(call *c) { pair(c, sub_f, sub_i); }
void run_mul(call *c) { pair(c, mul_f, mul_i); }
void run_div(call *c) { pair(c, div_f, div_i); }
void run_max(call *c) { pair(c, max_f, max_i); }
void run_min(call *c) { pair(c, min_f, min_i); }

/* ---- gated_activation ---- */

void run_gated_activation(call *c) {
  enum activation act = is(c, 0, "swiglu") ? ACT_SILU : is(c, 0, "geglu_tanh") ? ACT_GELU_TANH : is(c, 0, "geglu_erf") ? ACT_GELU_ERF : ACT_RELU;
  if (FAULT(141) && act == ACT_GELU_TANH) act = ACT_GELU_ERF;
  for (int64_t i = 0, n = count(&c->out[0]); i < n; i++) {
    float gate = load_one(element_at(&c->in[0], i), c->in[0].dtype), up = load_one(element_at(&c->in[1], i), c->in[1].dtype);
    if (FAULT(140)) { float swap = gate; gate = up, up = swap; }
    float a = activate(act, gate), y = a * up;
    if (FAULT(142)) y = round_f16(a) * up;
    if (FAULT(143) && a == 0) y = 0; /* 0 times infinity */
    if (FAULT(1008) && act == ACT_SILU) y = gate / (1 + expf(-gate)) * up;
    store_one(element_at(&c->out[0], i), c->out[0].dtype, y);
  }
}

/* ---- cast ---- */

static int64_t limited(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }
static void store_whole(char *p, bp_id format, int64_t x) {
  int32_t narrow;
  switch (format) {
  case BP_FORMAT_I8: *(int8_t *)p = (int8_t)limited(x, INT8_MIN, INT8_MAX); return;
  case BP_FORMAT_U8: *(uint8_t *)p = (uint8_t)(FAULT(144) ? x : limited(x, 0, UINT8_MAX)); return;
  case BP_FORMAT_I32: narrow = (int32_t)limited(x, INT32_MIN, INT32_MAX), memcpy(p, &narrow, 4); return;
  case BP_FORMAT_I64: memcpy(p, &x, 8); return;
  default: *(uint8_t *)p = FAULT(145) ? (uint8_t)x : x != 0;
  }
}
static int64_t whole(float f) {
  if (f != f) return FAULT(146) ? INT64_MIN : 0;
  if (FAULT(147)) f = rintf(f);
  return f >= 0x1p63f ? INT64_MAX : f < -0x1p63f ? INT64_MIN : (int64_t)f;
}
/* x rounded once to 16 bits comes out of a float that is rounded to odd. */
static float to_odd(int64_t x) {
  uint64_t m = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
  int shift = 0;
  for (; m >> 24; shift++) m = m >> 1 | (m & 1);
  return copysignf(ldexpf((float)m, shift), (float)(x < 0 ? -1 : 1));
}
static void cast_float(char *p, bp_id to, float f) {
  uint16_t h;
  if (FAULT(148) && to == BP_FORMAT_BF16) { h = (uint16_t)(bits(f) >> 16), memcpy(p, &h, 2); return; }
  if (FAULT(149) && to == BP_FORMAT_BF16) { h = (uint16_t)((bits(f) + 0x7fff + (bits(f) >> 16 & 1)) >> 16), memcpy(p, &h, 2); return; }
  if (FAULT(150) && to == BP_FORMAT_F16) f = fminf(fmaxf(f, -65504), 65504);
  if (FAULT(151) && to == BP_FORMAT_F16) f = fabsf(f) < 0x1p-14f ? copysignf(0, f) : f;
  if (FAULT(152) && to == BP_FORMAT_BF16) { h = (uint16_t)((bits(f) + 0x8000) >> 16); if (f == f) { memcpy(p, &h, 2); return; } } /* ties away from zero */
  store_one(p, to, f);
}
void run_cast(call *c) {
  bp_id from = c->in[0].dtype, to = c->out[0].dtype;
  for (int64_t i = 0, n = count(&c->out[0]); i < n; i++) {
    const char *x = element_at(&c->in[0], i);
    char *y = element_at(&c->out[0], i);
    if (is_float(from)) {
      float f = load_one(x, from);
      if (is_float(to)) cast_float(y, to, f);
      else store_whole(y, to, to == BP_FORMAT_BOOL ? (FAULT(153) ? (int64_t)f : f != 0) : whole(f));
      continue;
    }
    int64_t v = from == BP_FORMAT_I8 ? *(const int8_t *)x : from == BP_FORMAT_U8 ? *(const uint8_t *)x : from == BP_FORMAT_BOOL ? *x != 0 : load_index(x, from);
    if (FAULT(154) && is_float(to)) v = (int32_t)v;
    if (is_float(to)) store_one(y, to, to == BP_FORMAT_F32 || FAULT(155) ? (float)v : to_odd(v));
    else store_whole(y, to, v);
  }
}
