// Where the largest number of a row of floats is.
#ifndef BACKPLANE_CPU_LARGEST_H
#define BACKPLANE_CPU_LARGEST_H
#include "values.h"

// Integers in the order of the floats, so that compilers compare registers of them: -0 is 0, NaN is `nan`.
static inline int32_t bp_order_of(float x, int32_t nan) {
  int32_t bits = (int32_t)bp_bits(x + 0.0f), magnitude = bits & 0x7fffffff;
  return magnitude > 0x7f800000 ? nan : bits < 0 ? -magnitude : magnitude;
}

static inline int32_t bp_largest_order(const float *x, int64_t n, int32_t nan) {
  int32_t most = INT32_MIN;
  for (int64_t i = 0; i < n; i++) {
    int32_t own = bp_order_of(x[i], nan);
    most = most > own ? most : own;
  }
  return most;
}

// The lowest index of the largest of n >= 1 values, `step` bytes apart. NaN counts as larger than everything, or as -infinity.
static inline int64_t bp_largest(const char *row, int64_t step, int64_t n, bp_id format, int nan_is_largest) {
  const int32_t nan = nan_is_largest ? INT32_MAX : -0x7f800000;
  float tile[BP_TILE];
  int32_t most = INT32_MIN;
  int64_t from = 0;
  for (int64_t i = 0; i < n; i += BP_TILE) { // the part that has it, then its place there
    int64_t count = n - i < BP_TILE ? n - i : BP_TILE;
    bp_load_run(tile, row + i * step, step, (uint64_t)count, format);
    int32_t own = bp_largest_order(tile, count, nan);
    if (own > most) most = own, from = i;
  }
  while (bp_order_of(bp_load_one(row + from * step, format), nan) != most) from++;
  return from;
}
#endif
