// Copies between views, fills, and conversions of elements.
//
// UNIT  bytes of what is moved: an element, or a block of a block format
#include "shared/values.cl"

#define MOVED JOIN(moved_, UNIT)
#define moved_1 uchar
#define moved_2 ushort
#define moved_4 uint
#define moved_8 ulong
#if UNIT == 1 || UNIT == 2 || UNIT == 4 || UNIT == 8
#define MOVE(to, from) *(global MOVED *)(to) = *(global const MOVED *)(from)
#else
#define MOVE(to, from) for (int move_byte = 0; move_byte < UNIT; move_byte++) (to)[move_byte] = (from)[move_byte]
#endif

kernel void copy(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  global const uchar *x = AT(x) + offset_of_run(run, extents, x_steps);
  if (y_steps.s7 == UNIT && x_steps.s7 == UNIT) {
    for (long i = begin; i < end; i++) MOVE(y + i * UNIT, x + i * UNIT);
  } else {
    for (long i = begin; i < end; i++) MOVE(y + i * y_steps.s7, x + i * x_steps.s7);
  }
}

#ifdef MOVED
#if UNIT == 1 || UNIT == 2 || UNIT == 4 || UNIT == 8
kernel void fill(OUT(y), const int8 extents, const long8 y_steps, const long bits) {
  const uint run = get_global_id(1);
  const long begin = (long)get_global_id(0) * CHUNK, end = min(begin + CHUNK, (long)extents.s7);
  global uchar *y = AT(y) + offset_of_run(run, extents, y_steps);
  for (long i = begin; i < end; i++) *(global MOVED *)(y + i * y_steps.s7) = (MOVED)bits;
}
#endif
#endif
