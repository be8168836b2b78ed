// Reductions over any axes, and running sums along one. A group of work items computes one element of the result (reduce) or one line (cumsum).
//
// X  format; FUNCTION the operator
#include "shared/rows.cl"

#define function_reduce_sum 0
#define function_reduce_mean 1
#define function_reduce_max 2
#define function_reduce_min 3
#define function_reduce_prod 4
#define function_reduce_l2 5
#define KIND JOIN(function_, FUNCTION)

inline float combine(float a, float b) {
#if KIND == function_reduce_max
  return larger(a, b);
#elif KIND == function_reduce_min
  return isnan(a) || a < b ? a : b;
#elif KIND == function_reduce_prod
  return a * b;
#elif KIND == function_reduce_l2
  return fma(b, b, a);
#else
  return a + b;
#endif
}
#if KIND == function_reduce_max
#define EMPTY -INFINITY
#elif KIND == function_reduce_min
#define EMPTY INFINITY
#elif KIND == function_reduce_prod
#define EMPTY 1
#else
#define EMPTY 0
#endif

#ifndef IS_CUMSUM
#if GROUP > 1
inline float join(float a, float b) { return KIND == function_reduce_l2 ? a + b : combine(a, b); }
DEFINE_GROUP(group_join, join)
#endif

kernel void reduce(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps, const int8 inner, const long8 x_inner, const long count) {
  GROUP_MEMORY
  const uint index = get_group_id(0);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
  const long run = inner.s7, step = x_inner.s7;
  // Each work item has 16 partial results, so that the error grows with the length of none of them.
  float part[16];
  for (int k = 0; k < 16; k++) part[k] = EMPTY;
  for (long at = 0; at < count; at += run) {
    global const uchar *line = x + offset_of_run((uint)(at / run), inner, x_inner);
    long i = 16 * (long)get_local_id(0);
    for (; i + 16 <= run; i += 16 * GROUP)
      for (int k = 0; k < 16; k++) part[k] = combine(part[k], LOAD(X)(line + (i + k) * step));
    if (get_local_id(0) == 0)
      for (long j = run & ~15l; j < run; j++) part[j & 15] = combine(part[j & 15], LOAD(X)(line + j * step));
  }
  float result = part[0];
  for (int k = 1; k < 16; k++) result = KIND == function_reduce_l2 ? result + part[k] : combine(result, part[k]);
#if GROUP > 1
  result = group_join(result, group_memory);
#endif
  if (KIND == function_reduce_mean) result /= count;
  if (KIND == function_reduce_l2) result = sqrt(result);
  if (get_local_id(0) == 0) STORE(X)(AT(y) + offset_of(index, extents, y_steps), result);
}

#else
kernel void cumsum(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps, const int8 inner, const long8 y_inner, const long8 x_inner,
                   const int exclusive, const int reverse) {
  const uint index = get_global_id(0);
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
  VALUE sum = 0;
  for (long i = 0; i < inner.s7; i++) {
    const long at = reverse ? inner.s7 - 1 - i : i;
    VALUE v = LOAD(X)(x + at * x_inner.s7), before = sum;
    sum += v;
    STORE(X)(y + at * y_inner.s7, exclusive ? before : sum);
  }
}
#endif
