// The activation functions as double-precision formulas without cancellation: within half an ulp of f32 before the final rounding.
#ifndef BACKPLANE_CPU_ACTIVATIONS_H
#define BACKPLANE_CPU_ACTIVATIONS_H
#include <math.h>

static inline double bp_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static inline double bp_silu(double x) { return x / (1 + exp(-x)); }
static inline double bp_relu(double x) { return x > 0 || x != x ? x : 0; }
static inline double bp_gelu_erf(double x) { return 0.5 * x * erfc(-0.70710678118654752440 * x); }
// x/2 (1 + tanh u) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3)
static inline double bp_gelu_tanh(double x) { return x / (1 + exp(-1.59576912160573071176 * (x + 0.044715 * x * x * x))); }
static inline double bp_softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
#endif
