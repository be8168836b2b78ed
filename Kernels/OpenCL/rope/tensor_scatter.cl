// tensor_scatter: rows of update into a cache at positions. A work item writes 32 neighbours of a row for every token in turn, so that the later token wins.
//
// C, U, P  formats of cache, update, positions; a q8_0 or q4_0 block is quantised as its format's reference does, in f32
#include "shared/quantizers.cl"

#define bytes_q8_0 34
#define bytes_q4_0 18

kernel void scatter(OUT(cache), IN(update), IN(positions), const int8 extents, const long8 cache_steps, const long8 update_steps, const int rows,
                    const int tokens, const long cache_row, const long update_row, const long position_step, const int circular, const int count) {
  // Elements of a row this work item writes.
  const int begin = get_global_id(0) * 32, end = min(begin + 32, count);
  for (int t = 0; t < tokens; t++) {
    long row = LOAD(P)(AT(positions) + t * position_step);
    if (row < 0 || (!circular && row >= rows) || rows == 0) continue;
    row %= rows;
    global uchar *to = AT(cache) + row * cache_row;
    global const uchar *from = AT(update) + t * update_row;
#if IS_BLOCK
    float v[32];
    for (int i = begin; i < end; i++) v[i - begin] = LOAD(U)(from + offset_of(i, extents, update_steps));
    // The walk is over elements; blocks of a row follow each other.
    JOIN(quantize_, C)(to + (begin / 32) * JOIN(bytes_, C), v);
#else
    for (int i = begin; i < end; i++) STORE(C)(to + offset_of(i, extents, cache_steps), LOAD(U)(from + offset_of(i, extents, update_steps)));
#endif
  }
}
