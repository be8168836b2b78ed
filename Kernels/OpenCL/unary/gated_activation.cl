// y = act(gate) * up, Y and X being the formats of y and of both operands. A work item computes CHUNK neighbours of one run of the walk.
#include "shared/values.cl"
#include "shared/activations.cl"

define_isinf_zero(float)
define_isinf_zero(float16)
DEFINE_ACTIVATION(ACTIVATION, float)
DEFINE_ACTIVATION(ACTIVATION, float16)
// 0 times infinity: what the gate shuts stays shut only where the product is a number.
#define CALL(V, gate, up) (FUNCTION_OF(ACTIVATION, V)(gate) * (up))

kernel void gated_activation(OUT(y), IN(gate), IN(up), const int8 extents, const long8 y_steps, const long8 gate_steps, const long8 up_steps) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *gate = AT(gate) + offset_of_run(run, extents, gate_steps), *up = AT(up) + offset_of_run(run, extents, up_steps);
  long i = begin;
  if (y_steps.s7 == SIZE(Y) && gate_steps.s7 == SIZE(X) && up_steps.s7 == SIZE(X))
    for (; i + 16 <= end; i += 16)
      STORE16(Y)(y + i * SIZE(Y), CALL(float16, LOAD16(X)(gate + i * SIZE(X)), LOAD16(X)(up + i * SIZE(X))));
  for (; i < end; i++) STORE(Y)(y + i * y_steps.s7, CALL(float, LOAD(X)(gate + i * gate_steps.s7), LOAD(X)(up + i * up_steps.s7)));
}
