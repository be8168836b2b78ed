/* More functions of each element: roundings, piecewise activations, pow, comparisons, where. */
#include "mutant.h"

static int64_t elements(const call *c) { return count(&c->out[0]); }
static float by_int(float x, float r) { return fabsf(r) < 0x1p31f ? (float)(int32_t)r : x < 0 ? -0x1p31f : 0x1p31f; }

/* ---- roundings and sign ---- */

static float f_floor(const call *c, float x) {
  (void)c;
  if (FAULT(63)) return truncf(x);
  if (FAULT(64)) return by_int(x, floorf(x));
  if (FAULT(65)) return x != x ? 0 : floorf(x);
  return floorf(x);
}
void run_floor(call *c) { map(c, f_floor, 0); }

static float f_ceil(const call *c, float x) {
  (void)c;
  if (FAULT(66)) return floorf(x) + 1;
  if (FAULT(67)) return by_int(x, ceilf(x));
  return ceilf(x);
}
void run_ceil(call *c) { map(c, f_ceil, FAULT(68) ? elements(c) % 8 : 0); }

static float f_round(const call *c, float x) {
  (void)c;
  if (FAULT(69)) return roundf(x);
  if (FAULT(70)) return floorf(x + 0.5f);
  if (FAULT(71)) return (x + 0x1.8p23f) - 0x1.8p23f; /* right for small numbers */
  return rintf(x);
}
void run_round(call *c) { map(c, f_round, 0); }

static float f_sign(const call *c, float x) {
  (void)c;
  if (FAULT(72)) return (float)((x > 0) - (x < 0));
  if (FAULT(73)) x = flush(x);
  if (FAULT(74)) return x == 0 ? x : copysignf(1, x);
  return x > 0 ? 1 : x < 0 ? -1 : x;
}
void run_sign(call *c) { map(c, f_sign, 0); }

/* ---- activations ---- */

static float f_elu(const call *c, float x) {
  float alpha = float_of(c, BP_ELU_ALPHA);
  if (FAULT(75)) alpha = 1;
  if (FAULT(76)) return x > 0 ? x : alpha * (fmaxf(x, -4) == x ? expm1f(x) : -1);
  if (FAULT(77)) return x > 0 ? x : alpha * expm1f(fminf(x, 0));
  if (FAULT(78)) return alpha * (x > 0 ? x : expm1f(x));
  return x > 0 ? x : (float)(alpha * expm1((double)x));
}
void run_elu(call *c) { map(c, f_elu, 0); }

static float f_leaky_relu(const call *c, float x) {
  float alpha = float_of(c, BP_LEAKY_RELU_ALPHA);
  if (FAULT(79)) alpha = 0.01f;
  if (FAULT(80)) return fmaxf(x, alpha * x);
  if (FAULT(81)) alpha = round_bf16(alpha);
  return x >= 0 ? x : alpha * x;
}
void run_leaky_relu(call *c) { map(c, f_leaky_relu, 0); }

static float f_relu_squared(const call *c, float x) {
  (void)c;
  float r = activate(ACT_RELU, x);
  if (FAULT(82)) r = fmaxf(x, 0);
  if (FAULT(83)) return x * x;
  if (FAULT(84)) return flush(r * r);
  return r * r;
}
void run_relu_squared(call *c) { map(c, f_relu_squared, 0); }

/* x limited to 0 ... 1; NaN stays. */
static float unit(float x) { return x != x ? x : fminf(fmaxf(x, 0), 1); }

static float f_hardsigmoid(const call *c, float x) {
  float alpha = float_of(c, BP_HARDSIGMOID_ALPHA), beta = float_of(c, BP_HARDSIGMOID_BETA);
  if (FAULT(85)) alpha = 1 / 6.0f;
  if (FAULT(86)) beta = 0.5f;
  if (FAULT(87)) return fminf(fmaxf(alpha * x + beta, 0), 1);
  return unit(alpha * x + beta);
}
void run_hardsigmoid(call *c) { map(c, f_hardsigmoid, 0); }

static float f_hardswish(const call *c, float x) {
  (void)c;
  if (FAULT(88)) return x * unit(x * round_f16(1 / 6.0f) + 0.5f);
  if (FAULT(89)) return x > -3 ? x * fminf(x / 6 + 0.5f, 1) : 0;
  if (FAULT(90)) return x > 2.5f ? x : x * unit(x / 6 + 0.5f);
  return x <= -3 ? 0 : x * unit(x / 6 + 0.5f);
}
void run_hardswish(call *c) { map(c, f_hardswish, FAULT(91) ? elements(c) % 4 : 0); }

static float f_gelu_quick(const call *c, float x) {
  (void)c;
  if (FAULT(92)) return (float)(x / (1 + exp(-1.7 * x)));
  if (FAULT(93)) return activate(ACT_GELU_TANH, x);
  if (FAULT(94)) return x < -8 ? 0 : (float)(x / (1 + exp(-1.702 * x)));
  if (FAULT(1009)) return x / (1 + expf(-1.702f * x));
  return (float)(x / (1 + exp(-1.702 * x)));
}
void run_gelu_quick(call *c) { map(c, f_gelu_quick, 0); }

/* ---- two operands ---- */

static float power(float a, float b) {
  if (FAULT(121)) return exp2f(b * log2f(a));
  if (FAULT(122)) return powf(fabsf(a), b);
  if (FAULT(123)) return a != a || b != b ? NAN : powf(a, b);
  if (FAULT(124)) return b == 0.5f ? sqrtf(flush(a)) : b == rintf(b) ? powf(a, (float)(int8_t)b) : powf(a, round_bf16(b));
  if (FAULT(1023)) return powf(a, b);
  return (float)pow(a, b);
}
void run_pow(call *c) {
  const view *y = &c->out[0];
  for (int64_t i = 0, n = count(y); i < n; i++)
    store_one(element_at(y, i), y->dtype, power(load_one(broadcast(&c->in[0], y, i), y->dtype), load_one(broadcast(&c->in[1], y, i), y->dtype)));
}

enum relation { EQUAL, LESS, GREATER };
static int holds_for_floats(enum relation r, float a, float b) {
  if (FAULT(125)) return bits(a) == bits(b);
  if (FAULT(128)) return !(a >= b);
  if (FAULT(131)) return !(a <= b);
  if (FAULT(132)) a = round_bf16(a), b = round_bf16(b);
  return r == EQUAL ? a == b : r == LESS ? a < b : a > b;
}
static int holds_for_integers(enum relation r, int64_t a, int64_t b) {
  if (FAULT(126)) return (float)a == (float)b;
  if (FAULT(129)) return (int32_t)a < (int32_t)b;
  if (FAULT(133)) return (uint64_t)a > (uint64_t)b;
  return r == EQUAL ? a == b : r == LESS ? a < b : a > b;
}
static void compare(call *c, enum relation relation) {
  const view *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
  int64_t n = count(y);
  if (FAULT(127) && n > 16) n -= n % 16;
  for (int64_t i = 0; i < n; i++) {
    const char *pa = broadcast(a, y, i), *pb = broadcast(b, y, i);
    if (FAULT(130) && rows(a) < rows(y)) { const char *swap = pa; pa = pb, pb = swap; }
    *element_at(y, i) = (char)(is_float(a->dtype) ? holds_for_floats(relation, load_one(pa, a->dtype), load_one(pb, b->dtype))
                                                  : holds_for_integers(relation, load_index(pa, a->dtype), load_index(pb, b->dtype)));
  }
}
void run_equal(call *c) { compare(c, EQUAL); }
void run_less(call *c) { compare(c, LESS); }
void run_greater(call *c) { compare(c, GREATER); }

void run_where(call *c) {
  const view *y = &c->out[0];
  size_t size = (size_t)y->block_bytes;
  for (int64_t i = 0, n = count(y); i < n; i++) {
    int holds = *broadcast(&c->in[0], y, i) != 0;
    if (FAULT(134)) holds = *element_at(&c->in[0], i % count(&c->in[0])) != 0; /* right for leading dimensions only */
    const char *a = broadcast(&c->in[1], y, i), *b = broadcast(&c->in[2], y, i);
    char *to = element_at(y, i);
    if (FAULT(135) && is_float(y->dtype)) { /* by arithmetic: what is not chosen shows when it is not finite */
      store_one(to, y->dtype, (float)holds * load_one(a, y->dtype) + (float)!holds * load_one(b, y->dtype));
      continue;
    }
    memcpy(to, holds ? a : b, FAULT(136) && size > 4 ? 4 : size);
    if (FAULT(137) && y->dtype == BP_FORMAT_F32) store_one(to, y->dtype, flush(load_one(to, y->dtype)));
  }
}
