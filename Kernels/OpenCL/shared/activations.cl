// Functions of one element, for float and for vectors of it: ACTIVATION(V, name) defines V name_V(V x). All in f32: where an argument of exp or erfc must
// be known better than that, its rounding error is carried along (t + t_low), which costs two operations instead of double precision.
#define FUNCTION_OF(name, V) JOIN(JOIN(name, _), V)
#define DEFINE_ACTIVATION(name, V) JOIN(define_, name)(V)

#define define_none(V) inline V none_##V(V x) { return x; }
#define define_relu(V) inline V relu_##V(V x) { return select((V)0, x, isnan(x) | isgreater(x, (V)0)); }
#define define_sigmoid(V) inline V sigmoid_##V(V x) { V e = exp(-fabs(x)); return select((V)1, e, isless(x, (V)0)) / (1 + e); }

// x / (1 + exp(-(t + low))). Far down exp(-t) leaves the range before x exp(t) does: there it is taken in two halves.
#define define_ratio(V)                                                                                                   \
  inline V ratio_##V(V x, V t, V low) {                                                                                   \
    V e = exp(-t), half_way = exp(t * 0.5f), near = x / (1 + fma(e, -low, e)), far = x * half_way * half_way * (1 + low); \
    return select(near, far, isless(t, (V)-80.0f));                                                                       \
  }
#define define_silu(V) define_ratio(V) inline V silu_##V(V x) { return ratio_##V(x, x, (V)0); }
// 1.702f + -2.8610229e-08f = 1.702
#define define_gelu_quick(V)                                                                                              \
  define_ratio(V)                                                                                                         \
  inline V gelu_quick_##V(V x) { V t = x * 1.702f; return ratio_##V(x, t, isinf_zero_##V(t, fma(x, (V)1.702f, -t) + x * -2.8610229e-08f)); }
// What is left of an infinite argument is no number: 0 takes its place.
#define define_isinf_zero(V) inline V isinf_zero_##V(V t, V low) { return select(low, (V)0, isinf(t) | isnan(low)); }
// t = x (c + d x^2), c = sqrt(8/pi), d = 0.044715 c
#define define_gelu_tanh(V)                                                                                               \
  define_ratio(V)                                                                                                         \
  inline V gelu_tanh_##V(V x) {                                                                                           \
    V s = x * x, s_low = fma(x, x, -s), q = s * 0.07135481387376785f, c = (V)1.5957691669464111f;                         \
    V q_low = fma(s, (V)0.07135481387376785f, -q) + s_low * 0.07135481387376785f + s * 2.4034e-09f;                       \
    V p = c + q, part = p - c, p_low = (c - (p - part)) + (q - part) + q_low + -4.53429e-08f;                             \
    V t = x * p, t_low = fma(x, p, -t) + x * p_low;                                                                       \
    return ratio_##V(x, t, isinf_zero_##V(t, t_low));                                                                     \
  }
// 0.5 x erfc(-x / sqrt 2), the error of the argument by erfc's slope.
#define define_gelu_erf(V)                                                                                                \
  inline V gelu_erf_##V(V x) {                                                                                            \
    V z = x * -0.7071067690849304f, low = isinf_zero_##V(z, fma(x, (V)-0.7071067690849304f, -z) + x * -1.21016175e-08f);  \
    V value = erfc(z) - 1.1283791670955126f * exp(-z * z) * low;                                                          \
    return select(0.5f * x * value, (V)0, isinf(x) & isless(x, (V)0));                                                    \
  }

// A gate by the name of the whole: act(gate) * up.
#define define_swiglu(V) define_silu(V)
#define define_geglu_tanh(V) define_gelu_tanh(V)
#define define_geglu_erf(V) define_gelu_erf(V)
#define define_reglu(V) define_relu(V)
#define swiglu_float silu_float
#define swiglu_float16 silu_float16
#define geglu_tanh_float gelu_tanh_float
#define geglu_tanh_float16 gelu_tanh_float16
#define geglu_erf_float gelu_erf_float
#define geglu_erf_float16 gelu_erf_float16
#define reglu_float relu_float
#define reglu_float16 relu_float16
