// Dots of a few rows and eight columns at once, weights as they are stored.
//
// A register of weights is four chunks (16 elements, see i8_format.h), a column each; four columns are transposed in registers, four elements
// being one number, so that every register has four elements of each column, and a chunk's products end up in one lane a column: no panel
// is written, and what a scale costs is paid once for four columns.
//
// A group of a row: numbers in the order of the registers; then corrections and scales, [set][chunk][column]. A set is what is summed before
// the scale is applied: both registers, first halves of units in one, second halves in the other; where 16 elements share a scale, each.
#ifndef BACKPLANE_CPU_I8_QUADS_H
#define BACKPLANE_CPU_I8_QUADS_H
#include "i8_rows.h"

static inline int i8_quad_sets(int code) { return i8_sub(code) == 16 ? 2 : 1; }
// Where chunk c of a group is: 4 * register + quarter.
static inline int i8_quad_at(int code, int c) {
  if (i8_sub(code) == 16) return i8_chunk_at(code, c) / 4;
  int unit = c / 2;
  return 4 * (c & 1) + (i8_is_paired(code) ? unit / 2 + 2 * (unit & 1) : unit);
}
static inline int i8_quad_bytes(int code) { return I8_GROUP + i8_quad_sets(code) * 2 * 64; }

static inline void i8_store_quads(int code, int zero, const i8_group *g, char *to) {
  char *corrections = to + I8_GROUP, *scales = corrections + 64 * i8_quad_sets(code);
  for (int c = 0; c < 8; c++) {
    int at = i8_quad_at(code, c), halves = i8_quad_sets(code) == 1;
    memcpy(to + 16 * at, g->q + 16 * c, 16);
    if (halves && c % 2) continue;
    int32_t sum = 0;
    for (int i = 0; i < (halves ? 8 : 4); i++) sum += g->sums[4 * c + i];
    for (int i = 0; i < 4; i++) {
      i8_correction(code, zero, sum, g->scale[c / 2], corrections + 16 * at + 4 * i);
      memcpy(scales + 16 * at + 4 * i, &g->scale[c / 2], 4);
    }
  }
}

#if I8_QUADS
// Lane 4 i + c from lane 4 i of column c's.
I8_FN vf i8_columns(vf a, vf b, vf c, vf d) {
  return _mm512_mask_blend_ps(0x8888, _mm512_mask_blend_ps(0x4444, _mm512_mask_blend_ps(0x2222, a, b), c), d);
}
// Word i of each quarter of the four registers together.
I8_FN void i8_turn(vi x[4]) {
  __m512i ab = _mm512_unpacklo_epi32(x[0], x[1]), cd = _mm512_unpacklo_epi32(x[2], x[3]);
  __m512i ef = _mm512_unpackhi_epi32(x[0], x[1]), gh = _mm512_unpackhi_epi32(x[2], x[3]);
  x[0] = _mm512_unpacklo_epi64(ab, cd), x[1] = _mm512_unpackhi_epi64(ab, cd);
  x[2] = _mm512_unpacklo_epi64(ef, gh), x[3] = _mm512_unpackhi_epi64(ef, gh);
}

// Scales of a set of part `part` of a step, for all lanes of each quarter; minima.
I8_FN vf i8_quad_pick(int code, vf x, int part, int set, int from) {
  if (i8_is_split(code) || code == I8_TQ2_0) return x;
  if (i8_sub(code) == 16) return i8_factor(code, &(i8_factors){x, x}, 2 * part + set);
  int i = from + 4 * part;
  return i8_pick(x, _mm512_setr_epi32(i, i, i, i, i + 2, i + 2, i + 2, i + 2, i + 1, i + 1, i + 1, i + 1, i + 3, i + 3, i + 3, i + 3));
}
I8_FN vf i8_quad_scale(int code, const i8_factors *f, int part, int set) { return i8_quad_pick(code, f->scale, part, set, 0); }
I8_FN vf i8_quad_least(int code, const i8_factors *f, int part, int set) { return i8_quad_pick(code, i8_is_paired(code) ? f->scale : f->least, part, set, 8); }

// One step of eight columns for `rows` rows whose groups lie row_bytes apart; sums[4 h …] are those of columns 4 h … 4 h + 3.
I8_FN void i8_quad_step(int code, int64_t rows, const uint8_t *const b[8], const char *a, int64_t row_bytes, vf (*sums)[2]) {
  const int sets = i8_quad_sets(code), minimum = i8_has_minimum(code);
  i8_factors f[8];
  for (int c = 0; c < 8; c++) f[c] = i8_factors_of(code, b[c]);
#pragma clang loop unroll(full)
  for (int part = 0; part < i8_step(code) / I8_GROUP; part++, a += i8_quad_bytes(code)) {
    vi q[2][I8_REGISTERS][4];
    vf scale[2][2], least[2][2];
    for (int h = 0; h < 2; h++) {
      const i8_factors *e = f + 4 * h;
      for (int c = 0; c < 4; c++) {
        vi x[I8_REGISTERS];
        i8_codes(code, b[4 * h + c], part, x);
        int natural = !i8_is_split(code) && sets == 1; // halves of units follow one another
        q[h][0][c] = natural ? _mm512_shuffle_i32x4(x[0], x[1], 0x88) : x[0];
        q[h][1][c] = natural ? _mm512_shuffle_i32x4(x[0], x[1], 0xdd) : x[1];
      }
      for (int r = 0; r < I8_REGISTERS; r++) i8_turn(q[h][r]);
      for (int s = 0; s < sets; s++) {
        scale[h][s] = i8_columns(i8_quad_scale(code, e, part, s), i8_quad_scale(code, e + 1, part, s), i8_quad_scale(code, e + 2, part, s), i8_quad_scale(code, e + 3, part, s));
        if (minimum)
          least[h][s] = i8_columns(i8_quad_least(code, e, part, s), i8_quad_least(code, e + 1, part, s), i8_quad_least(code, e + 2, part, s), i8_quad_least(code, e + 3, part, s));
      }
    }
    const char *row = a;
    for (int64_t m = 0; m < rows; m++, row += row_bytes) {
      const char *correction = row + I8_GROUP;
      vf acc[2] = {sums[m][0], sums[m][1]};
#pragma clang loop unroll(full)
      for (int s = 0; s < sets; s++) {
        vi sum[2], zero = minimum || i8_zero_of(code) == 0 ? i8_set(0) : i8_load(correction + 64 * s);
        vf own = v_load((const float *)(correction + 64 * (sets + s)));
        for (int r = s; r < (sets == 1 ? I8_REGISTERS : s + 1); r++) {
          vi x = i8_load(row + 64 * r), y[4] = {_mm512_shuffle_epi32(x, 0x00), _mm512_shuffle_epi32(x, 0x55), _mm512_shuffle_epi32(x, 0xaa), _mm512_shuffle_epi32(x, 0xff)};
          for (int h = 0; h < 2; h++) { // a chain a register: one for both would be waited for
            vi chain = r == s ? zero : i8_set(0);
            for (int i = 0; i < 4; i++) chain = i8_dot(code, chain, q[h][r][i], y[i]);
            sum[h] = r == s ? chain : _mm512_add_epi32(sum[h], chain);
          }
        }
        for (int h = 0; h < 2; h++) {
          acc[h] = v_fma(i8_float(sum[h]), v_mul(scale[h][s], own), acc[h]);
          if (minimum) acc[h] = v_fma(least[h][s], v_load((const float *)(correction + 64 * s)), acc[h]);
        }
      }
      sums[m][0] = acc[0], sums[m][1] = acc[1];
    }
  }
}

// sums[m][h] += row m of a times columns 4 h … 4 h + 3 of the eight at w, in lanes i, 4 + i, 8 + i and 12 + i those of the i-th; k is whole blocks.
I8_FN void i8_quads(int code, int64_t rows, const uint8_t *const w[8], const char *a, int64_t row_bytes, int64_t k, vf (*sums)[2]) {
  const int step = i8_step(code), bytes = i8_step_bytes(code);
  const uint8_t *b[8];
  int64_t at = 0, i = 0;
  for (; at + step <= k; at += step, i += bytes, a += step / I8_GROUP * i8_quad_bytes(code)) {
    for (int c = 0; c < 8; c++) {
      b[c] = w[c] + i;
      for (int ahead = 0; ahead < bytes; ahead += 64) __builtin_prefetch(b[c] + I8_AHEAD + ahead);
    }
    i8_quad_step(code, rows, b, a, row_bytes, sums);
  }
  if (!i8_is_split(code) || at == k) return; // blocks of 32 that are no whole group
  uint8_t rest[8][4 * 34] = {0};
  for (int c = 0; c < 8; c++) b[c] = memcpy(rest[c], w[c] + i, (size_t)((k - at) / I8_UNIT * i8_block_bytes(code)));
  i8_quad_step(code, rows, b, a, row_bytes, sums);
}
#else
I8_FN void i8_quads(int code, int64_t rows, const uint8_t *const w[8], const char *a, int64_t row_bytes, int64_t k, vf (*sums)[2]) {
  (void)code, (void)rows, (void)w, (void)a, (void)row_bytes, (void)k, (void)sums;
}
#endif
#endif
