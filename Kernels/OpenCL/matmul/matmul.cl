// a [.. M K] times b [.. N K] (or [.. K N]) in any format: matmul and matmul_gated, as tiles of dot products. A group of GROUP work items shares a tile of
// ROWS rows of a and COLUMNS rows of b, each taking every GROUP-th run of 16 along K; weights are decoded in registers, once for ROWS rows. Right for few
// rows, where the weights' bytes are what counts; gemm.cl is for many.
//
// A, Y, W  formats of a, y, b (W2 of the second weights); BIAS, ACTIVATION, HAS_RESIDUAL, IS_GATED
// Sums     16 partial ones in f32 for each work item
#include "shared/rows.cl"
#include "shared/blocks.cl"
#include "shared/activations.cl"

define_isinf_zero(float)
DEFINE_ACTIVATION(ACTIVATION, float)

#define ADD_PRODUCTS(x_of_row, w_of_column)                                                                               \
  {                                                                                                                       \
    float16 x[ROWS];                                                                                                      \
    _Pragma("unroll") for (int r = 0; r < ROWS; r++) x[r] = x_of_row;                                                     \
    _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) {                                                                 \
      const float16 w = w_of_column;                                                                                      \
      _Pragma("unroll") for (int r = 0; r < ROWS; r++) part[r][c] = fma(x[r], w, part[r][c]);                             \
    }                                                                                                                     \
  }
#define A_ROW(r) (a + min(r, rows - 1) * a_row)
#define B_ROW(c) (b + min(c, columns - 1) * b_row)
#if IS_FLOAT  // rows of b, K apart by b_k bytes
#define ADD_WHOLE(format)                                                                                                 \
  _Pragma("unroll 2") for (int run = get_local_id(0); run < k / 16; run += GROUP)                                         \
    ADD_PRODUCTS(ROW16(A, A_ROW(r), 16 * run, a_k), ROW16(format, B_ROW(c), 16 * run, b_k))                               \
  if (k % 16 != 0 && get_local_id(0) == 0)                                                                                \
    ADD_PRODUCTS(PART16(A, A_ROW(r), k & ~15, k, a_k), PART16(format, B_ROW(c), k & ~15, k, b_k))
#else  // whole blocks, 32 elements at a time
#define ADD_WHOLE(format)                                                                                                 \
  for (int pair = get_local_id(0); pair < k / 32; pair += GROUP) {                                                        \
    float16 x[ROWS][2];                                                                                                   \
    _Pragma("unroll") for (int r = 0; r < ROWS; r++) {                                                                    \
      x[r][0] = ROW16(A, A_ROW(r), 32 * pair, a_k);                                                                       \
      x[r][1] = ROW16(A, A_ROW(r), 32 * pair + 16, a_k);                                                                  \
    }                                                                                                                     \
    _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) {                                                                 \
      float16 first, second;                                                                                              \
      DECODE32(format)(B_ROW(c), pair, &first, &second);                                                                  \
      _Pragma("unroll") for (int r = 0; r < ROWS; r++) part[r][c] = fma(x[r][1], second, fma(x[r][0], first, part[r][c])); \
    }                                                                                                                     \
  }
#endif
#define DEFINE_DOTS(name, format)                                                                                         \
  inline void name(float *sums, global const uchar *a, const long a_row, const long a_k, global const uchar *b, const long b_row, const long b_k,         \
                   const int rows, const int columns, const int k) {                                                     \
    float16 part[ROWS][COLUMNS];                                                                                          \
    for (int r = 0; r < ROWS; r++)                                                                                        \
      for (int c = 0; c < COLUMNS; c++) part[r][c] = 0;                                                                   \
    ADD_WHOLE(format)                                                                                                     \
    for (int r = 0; r < ROWS; r++)                                                                                        \
      for (int c = 0; c < COLUMNS; c++) sums[r * COLUMNS + c] = sum16(part[r][c]);                                        \
  }
DEFINE_DOTS(dots, W)
#if IS_GATED
DEFINE_DOTS(dots_of_up, W2)
#endif

kernel void matmul(OUT(y), IN(a), IN(b), IN(up), IN(bias), IN(residual), const int8 extents, const long8 y_steps, const long8 a_steps, const long8 b_steps,
                   const long8 residual_steps, const int m, const int n, const int k, const long y_row, const long y_column, const long a_row, const long a_k,
                   const long b_row, const long b_k, const long up_row, const long up_k, const long bias_step, const long residual_row,
                   const long residual_column) {
  GROUP_MEMORY
  const int column = get_group_id(0) * COLUMNS, row = get_global_id(1) * ROWS;
  const uint batch = get_global_id(2);
  const int rows = min(ROWS, m - row), columns = min(COLUMNS, n - column);
  global const uchar *a = AT(a) + offset_of(batch, extents, a_steps) + row * a_row;
  float sums[ROWS * COLUMNS];
  dots(sums, a, a_row, a_k, AT(b) + offset_of(batch, extents, b_steps) + column * b_row, b_row, b_k, rows, columns, k);
#if IS_GATED
  float ups[ROWS * COLUMNS];
  dots_of_up(ups, a, a_row, a_k, AT(up) + column * up_row, up_row, up_k, rows, columns, k);
#endif
  global uchar *y = AT(y) + offset_of(batch, extents, y_steps) + row * y_row + column * y_column;
#if HAS_RESIDUAL
  global const uchar *residual = AT(residual) + offset_of(batch, extents, residual_steps) + row * residual_row + column * residual_column;
#endif
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      float v = GROUP_SUM(sums[r * COLUMNS + c]);
#if HAS_BIAS
      v += LOAD(BIAS)(AT(bias) + (column + c) * bias_step);
#endif
      v = FUNCTION_OF(ACTIVATION, float)(v);
#if IS_GATED
      v *= GROUP_SUM(ups[r * COLUMNS + c]);
#endif
#if HAS_RESIDUAL
      v += LOAD(A)(residual + r * residual_row + c * residual_column);
#endif
      if (get_local_id(0) == 0) STORE(Y)(y + r * y_row + c * y_column, v);
    }
}
