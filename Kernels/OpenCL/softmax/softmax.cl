// softmax along the last dimension: a group of work items a row, in three passes (the row is read again rather than kept).
#include "shared/rows.cl"

#if HAS_MASK
#define SCORE16(i) (scale * ROW16(X, x, i, x_step) + ROW16(f32, mask, i, mask_step))
#define SCORE1(i) (scale * LOAD(X)(x + (i) * x_step) + load_f32(mask + (i) * mask_step))
#else
#define SCORE16(i) (scale * ROW16(X, x, i, x_step))
#define SCORE1(i) (scale * LOAD(X)(x + (i) * x_step))
#endif

kernel void softmax(OUT(y), IN(x), IN(mask), const int8 extents, const long8 y_steps, const long8 x_steps, const long8 mask_steps, const int n,
                    const long y_step, const long x_step, const long mask_step, const float scale) {
  GROUP_MEMORY
  const uint index = get_group_id(0);
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
#if HAS_MASK
  global const uchar *mask = AT(mask) + offset_of(index, extents, mask_steps);
#endif
  float most = -INFINITY;
  float16 most16 = -INFINITY;
  FOR_RUNS(i, n) { float16 z = SCORE16(i); most16 = select(most16, z, isnan(z) | (z > most16)); }
  FOR_REST(j, n) most = larger(SCORE1(j), most);
  most = GROUP_MAX(larger(max16(most16), most));
  if (most == -INFINITY) {
    FOR_RUNS(k, n) PUT16(X, y, k, y_step, (float16)0);
    FOR_REST(l, n) STORE(X)(y + l * y_step, 0.0f);
    return;
  }
  float16 sums = 0;
  float sum = 0;
  FOR_RUNS(k, n) sums += exp(SCORE16(k) - most);
  FOR_REST(l, n) sum += exp(SCORE1(l) - most);
  sum = GROUP_SUM(sum16(sums) + sum);
  // In place: a group reads what it writes, each element by the same work item.
  FOR_RUNS(p, n) PUT16(X, y, p, y_step, exp(SCORE16(p) - most) / sum);
  FOR_REST(q, n) STORE(X)(y + q * y_step, exp(SCORE1(q) - most) / sum);
}
