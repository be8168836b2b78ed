// Functions of one element. A work item computes CHUNK neighbours of one run of the walk.
//
// T         format: f32, f16, bf16, computed in f32
// FUNCTION  op_ and the operator (names of OpenCL C's own functions may be macros); p and q are its attributes
#include "shared/values.cl"
#include "shared/activations.cl"

#define define_op_abs(V) inline V op_abs_##V(V x, float p, float q) { return fabs(x); }
#define define_op_neg(V) inline V op_neg_##V(V x, float p, float q) { return -x; }
#define define_op_square(V) inline V op_square_##V(V x, float p, float q) { return x * x; }
#define define_op_sqrt(V) inline V op_sqrt_##V(V x, float p, float q) { return sqrt(x); }
#define define_op_rsqrt(V) inline V op_rsqrt_##V(V x, float p, float q) { return rsqrt(x); }
#define define_op_reciprocal(V) inline V op_reciprocal_##V(V x, float p, float q) { return 1 / x; }
#define define_op_exp(V) inline V op_exp_##V(V x, float p, float q) { return exp(x); }
#define define_op_log(V) inline V op_log_##V(V x, float p, float q) { return log(x); }
#if WRONG_SMALL_ANGLES
// Some drivers' vectors get small angles wrong beside a huge one: there the first terms are right to the last bit.
#define define_op_sin(V) inline V op_sin_##V(V x, float p, float q) { V z = x * x; return select(sin(x), x - x * z * (1.0f / 6 - z * (1.0f / 120)), isless(fabs(x), (V)0x1p-6f)); }
#define define_op_cos(V) inline V op_cos_##V(V x, float p, float q) { V z = x * x; return select(cos(x), 1 - z * (0.5f - z * (1.0f / 24)), isless(fabs(x), (V)0x1p-6f)); }
#else
#define define_op_sin(V) inline V op_sin_##V(V x, float p, float q) { return sin(x); }
#define define_op_cos(V) inline V op_cos_##V(V x, float p, float q) { return cos(x); }
#endif
#define define_op_tanh(V) inline V op_tanh_##V(V x, float p, float q) { return tanh(x); }
#define define_op_erf(V) inline V op_erf_##V(V x, float p, float q) { return erf(x); }
#define define_op_floor(V) inline V op_floor_##V(V x, float p, float q) { return floor(x); }
#define define_op_ceil(V) inline V op_ceil_##V(V x, float p, float q) { return ceil(x); }
#define define_op_round(V) inline V op_round_##V(V x, float p, float q) { return rint(x); }
#define define_op_sign(V) inline V op_sign_##V(V x, float p, float q) { return select(select(x, (V)-1, isless(x, (V)0)), (V)1, isgreater(x, (V)0)); }
#define define_op_softplus(V) inline V op_softplus_##V(V x, float p, float q) { V e = log1p(exp(-fabs(x))); return select(e, x + e, isgreater(x, (V)0) | isnan(x)); }
#define define_op_scale(V) inline V op_scale_##V(V x, float p, float q) { return x * p + q; }
#define define_op_softcap(V) inline V op_softcap_##V(V x, float p, float q) { return p * tanh(x / p); }
#define define_op_clip(V) inline V op_clip_##V(V x, float p, float q) { return select(fmin(fmax(x, (V)p), (V)q), x, isnan(x)); }
#define define_op_elu(V) inline V op_elu_##V(V x, float p, float q) { return select(x, p * expm1(x), isless(x, (V)0)); }
#define define_op_leaky_relu(V) inline V op_leaky_relu_##V(V x, float p, float q) { return select(x, p * x, isless(x, (V)0)); }
#define define_unit(V) inline V unit_##V(V x) { return select(fmin(fmax(x, (V)0), (V)1), x, isnan(x)); }
#define define_op_hardsigmoid(V) define_unit(V) inline V op_hardsigmoid_##V(V x, float p, float q) { return unit_##V(p * x + q); }
// Minus infinity times 0 would be no number; the limit is 0.
#define define_op_hardswish(V)                                                                                               \
  define_unit(V)                                                                                                          \
  inline V op_hardswish_##V(V x, float p, float q) { return select(x * unit_##V(x / 6 + 0.5f), (V)0, islessequal(x, (V)-3)); }
#define define_op_relu_squared(V) define_relu(V) inline V op_relu_squared_##V(V x, float p, float q) { V r = relu_##V(x); return r * r; }

#if SHARED_FUNCTION  // of activations.cl: without attributes
#define CALL(V, x) FUNCTION_OF(FUNCTION, V)(x)
#else
#define CALL(V, x) FUNCTION_OF(FUNCTION, V)(x, p, q)
#endif
define_isinf_zero(float)
define_isinf_zero(float16)
DEFINE_ACTIVATION(FUNCTION, float)
DEFINE_ACTIVATION(FUNCTION, float16)

kernel void unary(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps, const float p, const float q) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *x = AT(x) + offset_of_run(run, extents, x_steps);
  long i = begin;
  if (y_steps.s7 == SIZE(T) && x_steps.s7 == SIZE(T))
    for (; i + 16 <= end; i += 16) STORE16(T)(y + i * SIZE(T), CALL(float16, LOAD16(T)(x + i * SIZE(T))));
  for (; i < end; i++) STORE(T)(y + i * y_steps.s7, CALL(float, LOAD(T)(x + i * x_steps.s7)));
}
