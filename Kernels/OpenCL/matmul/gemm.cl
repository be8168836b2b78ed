// a [.. M K] times b [.. N K] (or [.. K N]) in any format, for many rows. A group of GROUP work items computes BLOCK_ROWS rows of 16 VECTORS columns: tile by tile of DEPTH
// along K it decodes the weights once into local memory, K by columns, and multiplies all its rows with them, ROWS at a time in registers.
//
// A, W, Y, BIAS  formats of a, b, y, bias; ACTIVATION, HAS_RESIDUAL
// Local memory   4 * 16 VECTORS * (DEPTH + BLOCK_ROWS) bytes
// Sums           in f32, along K in order, DEPTH elements at a time
#include "shared/rows.cl"
#include "shared/blocks.cl"
#include "shared/activations.cl"

define_isinf_zero(float16)
DEFINE_ACTIVATION(ACTIVATION, float16)
#define COLUMNS (16 * VECTORS)

// Decodes elements [begin, begin + depth) of the rows of b into the tile.
inline void fill_tile(local float *tile, global const uchar *b, const long b_row, const long b_k, const int columns, const int begin, const int depth) {
#if IS_FLOAT
  if (b_k != SIZE(W)) {  // b is [K, N]: neighbours are columns
    for (int i = get_local_id(0); i < depth; i += GROUP)
      for (int c = 0; c < COLUMNS; c++) tile[i * COLUMNS + c] = LOAD(W)(b + min(c, columns - 1) * b_row + (begin + i) * b_k);
    return;
  }
  for (int c = get_local_id(0); c < COLUMNS; c += GROUP)
    for (int i = depth & ~15; i < depth; i++) tile[i * COLUMNS + c] = LOAD(W)(b + min(c, columns - 1) * b_row + (begin + i) * b_k);
#endif
  for (int piece = get_local_id(0); piece < COLUMNS * (depth / 16); piece += GROUP) {
    const int c = piece % COLUMNS, run = piece / COLUMNS;
    float each[16];
    vstore16(DECODE16(W)(b + min(c, columns - 1) * b_row, begin / 16 + run), 0, each);
    for (int i = 0; i < 16; i++) tile[(16 * run + i) * COLUMNS + c] = each[i];
  }
}

kernel void gemm(OUT(y), IN(a), IN(b), IN(bias), IN(residual), const int8 extents, const long8 y_steps, const long8 a_steps, const long8 b_steps,
                 const long8 residual_steps, const int m, const int n, const int k, const long y_row, const long y_column, const long a_row, const long a_k,
                 const long b_row, const long b_k, const long bias_step, const long residual_row, const long residual_column) {
  local float16 tile[DEPTH][VECTORS], sums[BLOCK_ROWS][VECTORS];
  const int column = get_group_id(0) * COLUMNS, row = get_group_id(1) * BLOCK_ROWS;
  const uint batch = get_group_id(2);
  const int rows = min(BLOCK_ROWS, m - row), columns = min(COLUMNS, n - column);
  global const uchar *a = AT(a) + offset_of(batch, extents, a_steps) + row * a_row;
  global const uchar *b = AT(b) + offset_of(batch, extents, b_steps) + column * b_row;
  for (int begin = 0; begin < k; begin += DEPTH) {
    const int depth = min(DEPTH, k - begin);
    if (GROUP > 1) barrier(CLK_LOCAL_MEM_FENCE);
    fill_tile((local float *)tile, b, b_row, b_k, columns, begin, depth);
    if (GROUP > 1) barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = get_local_id(0) * ROWS; r < rows; r += GROUP * ROWS) {
      global const uchar *line[ROWS];
      float16 part[ROWS][VECTORS];
      _Pragma("unroll") for (int i = 0; i < ROWS; i++) {
        line[i] = a + min(r + i, rows - 1) * a_row + begin * a_k;
        _Pragma("unroll") for (int v = 0; v < VECTORS; v++) part[i][v] = begin == 0 ? (float16)0 : sums[r + i][v];
      }
#if IS_HALF  // 16 at a time, which costs less than one by one
      float given[ROWS][DEPTH];
      for (int i = 0; i < ROWS; i++) {
        for (int d = 0; d + 16 <= depth; d += 16) vstore16(ROW16(A, line[i], d, a_k), 0, given[i] + d);
        for (int d = depth & ~15; d < depth; d++) given[i][d] = LOAD(A)(line[i] + d * a_k);
      }
#define X(i, d) given[i][d]
#else
#define X(i, d) load_f32(line[i] + d * a_k)
#endif
      for (int d = 0; d < depth; d++)
        _Pragma("unroll") for (int i = 0; i < ROWS; i++) {
          const float16 x = X(i, d);
          _Pragma("unroll") for (int v = 0; v < VECTORS; v++) part[i][v] = fma(x, tile[d][v], part[i][v]);
        }
      _Pragma("unroll") for (int i = 0; i < ROWS; i++)
        _Pragma("unroll") for (int v = 0; v < VECTORS; v++) sums[r + i][v] = part[i][v];
    }
  }
  // Each work item finishes the rows that it has summed.
  for (int first = get_local_id(0) * ROWS; first < rows; first += GROUP * ROWS)
    for (int r = first; r < min(first + ROWS, rows); r++)
      for (int v = 0; v < VECTORS; v++) {
        const int begin = column + 16 * v, count = min(16, n - begin);
        if (count <= 0) continue;
        float16 s = k == 0 ? (float16)0 : sums[r][v];
        float each[16];
#if HAS_BIAS
        for (int c = 0; c < 16; c++) each[c] = LOAD(BIAS)(AT(bias) + (begin + min(c, count - 1)) * bias_step);
        s += vload16(0, each);
#endif
        s = FUNCTION_OF(ACTIVATION, float16)(s);
#if HAS_RESIDUAL
        global const uchar *residual = AT(residual) + offset_of(batch, extents, residual_steps) + (row + r) * residual_row;
        for (int c = 0; c < 16; c++) each[c] = LOAD(Y)(residual + (begin + min(c, count - 1)) * residual_column);
        s += vload16(0, each);
#endif
        global uchar *y = AT(y) + offset_of(batch, extents, y_steps) + (row + r) * y_row;
        if (count == 16) PUT16(Y, y, begin, y_column, s);
        else {
          vstore16(s, 0, each);
          for (int c = 0; c < count; c++) STORE(Y)(y + (begin + c) * y_column, each[c]);
        }
      }
}
