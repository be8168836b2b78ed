// Comparisons with broadcasting (a bool is a byte), and where. A work item computes CHUNK neighbours of one run of the walk.
#include "shared/values.cl"

#if IS_WHERE
#define MOVED JOIN(moved_, UNIT)
#define moved_1 uchar
#define moved_2 ushort
#define moved_4 uint
#define moved_8 ulong
kernel void choose(OUT(y), IN(condition), IN(a), IN(b), const int8 extents, const long8 y_steps, const long8 condition_steps, const long8 a_steps,
                   const long8 b_steps) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *condition = AT(condition) + offset_of_run(run, extents, condition_steps);
  global const uchar *a = AT(a) + offset_of_run(run, extents, a_steps), *b = AT(b) + offset_of_run(run, extents, b_steps);
  for (long i = begin; i < end; i++)
    *(global MOVED *)(y + i * y_steps.s7) = *(global const MOVED *)(condition[i * condition_steps.s7] ? a + i * a_steps.s7 : b + i * b_steps.s7);
}
#else
#define compare_equal(a, b) ((a) == (b))
#define compare_less(a, b) ((a) < (b))
#define compare_greater(a, b) ((a) > (b))
kernel void compare(OUT(y), IN(a), IN(b), const int8 extents, const long8 y_steps, const long8 a_steps, const long8 b_steps) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *a = AT(a) + offset_of_run(run, extents, a_steps), *b = AT(b) + offset_of_run(run, extents, b_steps);
  for (long i = begin; i < end; i++)
    y[i * y_steps.s7] = JOIN(compare_, FUNCTION)(LOAD(T)(a + i * a_steps.s7), LOAD(T)(b + i * b_steps.s7));
}
#endif
