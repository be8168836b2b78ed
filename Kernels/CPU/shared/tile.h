// Products of a strip of rows and a panel of columns, both next to each other for every k: what matmul and attention are made of.
//
// A strip is [k][STRIP], a panel [k][PANEL] with rows any distance apart. Sums stay in registers over the whole of k.
#ifndef BACKPLANE_CPU_TILE_H
#define BACKPLANE_CPU_TILE_H

// What stands at one k of a strip and a panel: a float; or, where V_PAIRS is 2, two bf16 numbers, whose products both go into the sum.
#ifndef V_PAIRS
#define V_PAIRS 1
#define v_products v_fma
#endif

enum { STRIP = V_REGISTERS == 32 ? 12 : 6, PANEL = 2 * LANES };

typedef float v_four __attribute__((vector_size(16), aligned(4)));

// `rows` rows of k floats, a_row floats apart, to [k][STRIP].
V_FN void pack_strip(const float *a, int64_t a_row, int rows, int64_t k, float *to) {
  enum { GROUP = STRIP % 4 ? 2 : 4 };
  for (int r = 0; r < STRIP; r += GROUP) {
    if (r >= rows) return;
    const float *p[GROUP];
    for (int i = 0; i < GROUP; i++) p[i] = a + (r + i < rows ? r + i : rows - 1) * a_row;
    int64_t x = 0;
    for (; x + 4 <= k; x += 4) {
      v_four v[4], t[4];
      for (int i = 0; i < GROUP; i++) v[i] = *(const v_four *)(p[i] + x);
      for (int i = 0; i < GROUP; i += 2) {
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 4, 1, 5);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 6, 3, 7);
      }
      for (int i = 0; i < 4; i++) { // column x + i: half of t[i / 2], and with four rows the same half of t[i / 2 + 2]
        v_four column = GROUP == 2 ? t[i / 2] : i & 1 ? __builtin_shufflevector(t[i / 2], t[GROUP / 2 + i / 2], 2, 3, 6, 7)
                                                     : __builtin_shufflevector(t[i / 2], t[GROUP / 2 + i / 2], 0, 1, 4, 5);
        memcpy(to + (x + i) * STRIP + r, (const float *)&column + (GROUP == 2 ? 2 * (i & 1) : 0), GROUP * 4);
      }
    }
    for (; x < k; x++)
      for (int i = 0; i < GROUP; i++) to[x * STRIP + r + i] = p[i][x];
  }
}

// to = (add ? to : 0) + strip * panel for `rows` rows.
V_FN void tile_rows(int rows, const float *strip, const float *panel, int64_t panel_row, int64_t k, float *to, int64_t to_row, int add) {
  vf acc[STRIP][2];
  for (int m = 0; m < rows; m++)
    for (int i = 0; i < 2; i++) acc[m][i] = add ? v_load(to + m * to_row + LANES * i) : v_zero();
  for (int64_t x = 0; x < k; x++, strip += STRIP, panel += panel_row) {
    vf b0 = v_load(panel), b1 = v_load(panel + LANES);
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; m++) {
      vf a = v_set(strip[m]);
      acc[m][0] = v_products(a, b0, acc[m][0]);
      acc[m][1] = v_products(a, b1, acc[m][1]);
    }
  }
  for (int m = 0; m < rows; m++)
    for (int i = 0; i < 2; i++) v_store(to + m * to_row + LANES * i, acc[m][i]);
}

static void tile(int64_t rows, const float *strip, const float *panel, int64_t panel_row, int64_t k, float *to, int64_t to_row, int add) {
  switch (rows) {
#define CASE(n) case n: if (n <= STRIP) tile_rows(n <= STRIP ? n : 1, strip, panel, panel_row, k, to, to_row, add); return;
  CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
  }
}
#endif
