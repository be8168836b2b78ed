// Rows of activations as 8-bit integers, one f32 scale for each 32 (a unit), in groups of 128 that zeros fill up.
//
// A group for dots holds 128 numbers in the order of the format's registers, then a correction and the scale for each lane that sums are
// kept in. For strips of rows it holds, for each I8_WORD elements, those of all rows; then corrections and scales of each part that shares
// a scale of the weights, those of all rows together. With tiles each row's numbers stand together, in natural order.
//
// Corrections   formats with an offset: minus offset times the sum of the numbers, an integer; formats with a minimum: that sum times
//               the scale, a float. For dots with blocks of 256 that have minima those of a block, one for each, stand in its first group.
// Powers of 2   rows whose largest element is beyond 2^±100 are multiplied by 2^∓100 first, `factor` undoes it: neither scales nor
//               corrections leave the normal numbers of f32.
// Not finite    a unit with such an element has NaN for a scale.
#ifndef BACKPLANE_CPU_I8_ROWS_H
#define BACKPLANE_CPU_I8_ROWS_H
#include "i8_format.h"

// Bytes of a group: of one row for dots, of a strip of `rows` rows.
static inline int64_t i8_dot_bytes(int code) { return I8_GROUP + 2 * 4 * i8_group_lanes(code); }
static inline int64_t i8_strip_bytes(int code, int64_t rows) { return rows * (I8_GROUP + 2 * 4 * (I8_GROUP / i8_sub(code))); }
static inline int64_t i8_groups(int64_t k) { return (k + I8_GROUP - 1) / I8_GROUP; }
// Where a register order has chunk c (16 elements) of a group, in groups of four elements.
static inline int i8_chunk_at(int code, int c) {
  if (i8_is_paired(code)) return 16 * (c / 2 & 1) + 8 * (c / 4) + 4 * (c & 1);
  return i8_is_split(code) ? 16 * (c & 1) + 4 * (c / 2) : 4 * c;
}

typedef struct i8_group {
  int8_t q[I8_GROUP];
  int32_t sums[I8_GROUP / 4]; // of four
  float scale[I8_GROUP / I8_UNIT];
} i8_group;

static inline uint32_t i8_largest_bits(const float *x, int64_t n) { // of absolute values; a NaN is larger than infinity
  uint32_t most = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    bits &= 0x7fffffff;
    most = most > bits ? most : bits;
  }
  return most;
}

// What the row is multiplied by; one over it undoes that.
static inline float i8_row_factor(const float *x, int64_t k) {
  float largest = bp_float(i8_largest_bits(x, k));
  return largest < 0x1p-100f ? 0x1p100f : largest > 0x1p100f ? 0x1p-100f : 1;
}

static inline void i8_quantise_unit(const float *x, float factor, i8_group *to, int unit) {
  float largest = bp_float(i8_largest_bits(x, I8_UNIT)) * factor; // of NaN and infinity too
  int finite = largest < INFINITY, some = largest > 0;
  float inverse = finite && some ? 127 / largest : 0;
  for (int i = 0; i < I8_UNIT; i++) to->q[unit * I8_UNIT + i] = (int8_t)(int32_t)rintf(finite ? x[i] * factor * inverse : 0);
  to->scale[unit] = finite ? largest * (1 / 127.0f) : NAN;
}

// Elements at … at + 128 of a row of k.
static inline void i8_quantise(const float *x, int64_t at, int64_t k, float factor, i8_group *to) {
  float rest[I8_UNIT];
  for (int u = 0; u < I8_GROUP / I8_UNIT; u++, at += I8_UNIT) {
    const float *from = x + at;
    if (at + I8_UNIT > k) {
      memset(rest, 0, sizeof rest);
      if (at < k) memcpy(rest, x + at, (size_t)(k - at) * 4);
      from = rest;
    }
    i8_quantise_unit(from, factor, to, u);
  }
  for (int i = 0; i < I8_GROUP / 4; i++) to->sums[i] = to->q[4 * i] + to->q[4 * i + 1] + to->q[4 * i + 2] + to->q[4 * i + 3];
}

static inline void i8_correction(int code, int zero, int32_t sum, float scale, char *to) {
  int32_t whole = -zero * sum;
  float part = (float)sum * scale;
  memcpy(to, i8_has_minimum(code) ? (const void *)&part : (const void *)&whole, 4);
}

// Sum of the numbers that share scale `part` of the weights.
static inline int32_t i8_part_sum(int code, const i8_group *g, int part) {
  int each = i8_sub(code) / 4;
  int32_t sum = 0;
  for (int i = 0; i < each; i++) sum += g->sums[part * each + i];
  return sum;
}
static inline float i8_part_scale(int code, const i8_group *g, int part) { return g->scale[part * i8_sub(code) / I8_UNIT]; }

// Group `index` of a row.
static inline void i8_store_dot(int code, int zero, const i8_group *g, int64_t index, char *to) {
  int lanes = i8_group_lanes(code), parts = I8_GROUP / i8_sub(code);
  for (int c = 0; c < 8; c++) memcpy(to + 4 * i8_chunk_at(code, c), g->q + 16 * c, 16);
  char *corrections = to + I8_GROUP, *scales = corrections + 4 * lanes;
  for (int i = 0; i < lanes; i++) {
    int split = lanes == 16, chunk = split ? i / 4 * 2 : i / 4, lane = split ? i : i8_chunk_at(code, chunk) + i % 4, unit = chunk / 2;
    int32_t sum = g->sums[4 * chunk + i % 4] + (split ? g->sums[4 * chunk + 4 + i % 4] : 0);
    if (!i8_has_block_minima(code)) i8_correction(code, zero, sum, g->scale[unit], corrections + 4 * lane);
    memcpy(scales + 4 * lane, &g->scale[unit], 4);
  }
  if (!i8_has_block_minima(code)) return;
  if (index % 2) corrections += 4 * parts - i8_dot_bytes(code);
  for (int p = 0; p < parts; p++) i8_correction(code, zero, i8_part_sum(code, g, p), i8_part_scale(code, g, p), corrections + 4 * p);
}

// Row r of a strip.
static inline void i8_store_strip(int code, int zero, const i8_group *g, int64_t rows, int64_t r, char *to) {
  int parts = I8_GROUP / i8_sub(code);
  if (I8_TILES) memcpy(to + I8_GROUP * r, g->q, I8_GROUP);
  for (int c = 0; c < 8 && !I8_TILES; c++)
    for (int i = 0; i < 16; i += I8_WORD) memcpy(to + (4 * i8_chunk_at(code, c) + i) * rows + I8_WORD * r, g->q + 16 * c + i, I8_WORD);
  char *corrections = to + I8_GROUP * rows, *scales = corrections + 4 * rows * parts;
  for (int p = 0; p < parts; p++) {
    float scale = i8_part_scale(code, g, p);
    i8_correction(code, zero, i8_part_sum(code, g, p), scale, corrections + 4 * (p * rows + r));
    memcpy(scales + 4 * (p * rows + r), &scale, 4);
  }
}
#endif
