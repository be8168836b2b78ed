// Functions of two elements with broadcasting. A work item computes CHUNK neighbours of one run of the walk.
//
// T         format: f32, f16, bf16 (computed in f32) or i32 (wrapping)
// FUNCTION  op_ and the operator (names of OpenCL C's own functions may be macros)
#include "shared/values.cl"

#define APPLY(name, a, b) JOIN(apply_, name)(a, b)
#define apply_op_add(a, b) ((a) + (b))
#define apply_op_sub(a, b) ((a) - (b))
#define apply_op_mul(a, b) ((a) * (b))
#if IS_INT
inline int apply_op_div(int a, int b) { return b == 0 ? 0 : b == -1 ? (int)(0u - (uint)a) : a / b; }
#define apply_op_max(a, b) max(a, b)
#define apply_op_min(a, b) min(a, b)
#else
#define apply_op_div(a, b) ((a) / (b))
#define apply_op_max(a, b) select(b, a, isnan(a) | isgreater(a, b))
#define apply_op_min(a, b) select(b, a, isnan(a) | isless(a, b))
#define apply_op_pow(a, b) pow(a, b)
#endif

kernel void binary(OUT(y), IN(a), IN(b), const int8 extents, const long8 y_steps, const long8 a_steps, const long8 b_steps) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *a = AT(a) + offset_of_run(run, extents, a_steps), *b = AT(b) + offset_of_run(run, extents, b_steps);
  long i = begin;
#if !IS_INT
  if (y_steps.s7 == SIZE(T) && a_steps.s7 == SIZE(T)) {
    if (b_steps.s7 == SIZE(T)) {
      for (; i + 16 <= end; i += 16) {
        float16 p = LOAD16(T)(a + i * SIZE(T)), q = LOAD16(T)(b + i * SIZE(T));
        STORE16(T)(y + i * SIZE(T), APPLY(FUNCTION, p, q));
      }
    } else if (b_steps.s7 == 0) {
      float16 q = LOAD(T)(b);
      for (; i + 16 <= end; i += 16) {
        float16 p = LOAD16(T)(a + i * SIZE(T));
        STORE16(T)(y + i * SIZE(T), APPLY(FUNCTION, p, q));
      }
    }
  }
#endif
  for (; i < end; i++) {
    VALUE p = LOAD(T)(a + i * a_steps.s7), q = LOAD(T)(b + i * b_steps.s7);
    STORE(T)(y + i * y_steps.s7, APPLY(FUNCTION, p, q));
  }
}
