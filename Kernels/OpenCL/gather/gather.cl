// Rows of a table by index, and whole tensors, decoded to floats. A work item makes RUNS runs of 16 elements of one row.
//
// W  the table's format; Y the result's
#include "shared/blocks.cl"

inline void write_runs(global uchar *y, const long y_step, global const uchar *row, const int n, const long row_step, const float scale) {
  const int first = get_global_id(0) * RUNS * 16, last = min(n, first + RUNS * 16);
  int i = first;
  if (BLOCK(W) > 1 || row_step == SIZE_W)
    for (; i + 16 <= last; i += 16) {
      float16 v = scale * DECODE16(W)(row, i / 16);
      if (y_step == SIZE(Y)) STORE16(Y)(y + (long)i * SIZE(Y), v);
      else {
        float each[16];
        vstore16(v, 0, each);
        for (int j = 0; j < 16; j++) STORE(Y)(y + (i + j) * y_step, each[j]);
      }
    }
#if IS_FLOAT
  for (; i < last; i++) STORE(Y)(y + i * y_step, scale * LOAD(W)(row + i * row_step));
#endif
}

kernel void gather(OUT(y), IN(table), IN(indices), const int8 extents, const long8 y_steps, const long8 index_steps, const int n, const int rows,
                   const long row_bytes, const long table_step, const long y_step, const float scale) {
  global const uchar *at = AT(indices) + offset_of(get_global_id(1), extents, index_steps);
  global uchar *y = AT(y) + offset_of(get_global_id(1), extents, y_steps);
  const long index = LOAD(I)(at);
  if (index >= 0 && index < rows) {
    write_runs(y, y_step, AT(table) + index * row_bytes, n, table_step, scale);
  } else {
    for (int i = get_global_id(0) * RUNS * 16, last = min(n, i + RUNS * 16); i < last; i++) STORE(Y)(y + i * y_step, 0.0f);
  }
}

kernel void dequantize(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps, const int n, const long y_step) {
  write_runs(AT(y) + offset_of(get_global_id(1), extents, y_steps), y_step, AT(x) + offset_of(get_global_id(1), extents, x_steps), n, 0, 1);
}
