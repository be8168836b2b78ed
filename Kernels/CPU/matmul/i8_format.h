// Block formats as small integers with scales: what the products with activations of 8 bits are made of.
//
// Elements are unpacked in groups of 128: four units of 32. A unit is two chunks of 16 bytes. The registers of a group hold the
// chunks in one of two orders:
//
//   split    (blocks of 32) first the first halves of the four units, then their second halves, so that each quarter register belongs
//            to one unit and both halves of the registers can be summed before the scale is applied
//   natural  (blocks of 256)
//   paired   (q4_K and q5_K with registers of 64 bytes) units 0 and 2, then 1 and 3: as nibbles of 64 bytes lie
//
// `code` is a constant at every call, so that the switches fold.
#ifndef BACKPLANE_CPU_I8_FORMAT_H
#define BACKPLANE_CPU_I8_FORMAT_H
#include "problem.h"

#ifndef I8_QUADS
#define I8_QUADS 0 // 1: i8_quads.h
#endif
#ifndef I8_MM
#define I8_MM 0 // 1: products of matrices with eight elements a row, i8_neon.h
#endif
#ifndef I8_TILES
#define I8_TILES 0 // 1: products of tiles, i8_tiles.h
#endif

enum i8_code {
  I8_Q4_0, I8_Q4_1, I8_Q5_0, I8_Q5_1, I8_Q8_0, I8_IQ4_NL, I8_MXFP4, I8_Q4_Z, // split
  I8_Q2_K, I8_Q3_K, I8_Q4_K, I8_Q5_K, I8_Q6_K, I8_TQ2_0,            // natural
  I8_CODES,
};
enum { I8_UNIT = 32, I8_GROUP = 128 };

static inline int i8_code_of(bp_id format) {
  static const bp_id ids[I8_CODES] = {BP_FORMAT_Q4_0, BP_FORMAT_Q4_1, BP_FORMAT_Q5_0, BP_FORMAT_Q5_1, BP_FORMAT_Q8_0, BP_FORMAT_IQ4_NL, BP_FORMAT_MXFP4, BP_FORMAT_Q4_Z,
                                      BP_FORMAT_Q2_K, BP_FORMAT_Q3_K, BP_FORMAT_Q4_K, BP_FORMAT_Q5_K, BP_FORMAT_Q6_K, BP_FORMAT_TQ2_0};
  int code = 0;
  while (code < I8_CODES && ids[code] != format) code++;
  return code;
}
static inline int i8_is_split(int code) { return code < I8_Q2_K; }
static inline int i8_block_bytes(int code) {
  static const uint8_t bytes[I8_CODES] = {18, 20, 22, 24, 34, 18, 17, 22, 84, 110, 144, 176, 210, 66};
  return bytes[code];
}
// Elements whose scales lie together, and their bytes: a group of four blocks, or a block of two groups.
static inline int i8_step(int code) { return i8_is_split(code) ? 128 : 256; }
static inline int i8_step_bytes(int code) { return i8_block_bytes(code) * (i8_is_split(code) ? 4 : 1); }
// Elements that share a scale.
static inline int i8_sub(int code) { return code == I8_Q2_K || code == I8_Q3_K || code == I8_Q6_K ? 16 : 32; }
static inline int i8_has_minimum(int code) { return code == I8_Q4_1 || code == I8_Q5_1 || code == I8_Q4_Z || code == I8_Q2_K || code == I8_Q4_K || code == I8_Q5_K; }
static inline int i8_has_block_minima(int code) { return i8_has_minimum(code) && !i8_is_split(code); }
// What the unpacked, unsigned number of a zero is.
static inline int i8_offset(int code) {
  static const uint8_t offset[I8_CODES] = {8, 0, 16, 0, 128, 127, 12, 0, 0, 4, 0, 0, 32, 1};
  return offset[code];
}
// Formats that fill eight bits: without the instructions for it, products of unsigned and signed bytes overflow 16 bits.
static inline int i8_is_wide(int code) { return code == I8_Q8_0 || code == I8_IQ4_NL; }
// 32-bit lanes of a register that belong to one scale.
static inline int i8_lanes(int code) { return i8_is_split(code) || i8_sub(code) == 16 ? 4 : 8; }
// Of a group: lanes that sums are kept in.
static inline int i8_group_lanes(int code) { return i8_is_split(code) ? 16 : 32; }
// The largest scales of mxfp4 make numbers that f32 does not have: the scale of a block with such is NaN, since a sum of whole numbers
// times infinity would have a sign that infinities of both signs have not.
static __attribute__((noinline, unused)) void i8_overflow(const uint8_t *b, float scales[4]) {
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 16; j++)
      for (int h = 0; h < 8; h += 4)
        if (!(fabsf((float)bp_mxfp4_codebook[b[17 * i + 1 + j] >> h & 15] * scales[i]) < INFINITY)) scales[i] = NAN;
}
#endif
