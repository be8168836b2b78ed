// Weights in any format as runs of 16 elements: DECODE16(W)(row, run) is elements 16 run … 16 run + 15 of a row of blocks. Each format is one function;
// a kernel that uses the macro takes all of them. Products of a half-precision scale and small integers are exact in f32, so at most the subtraction of a minimum
// rounds.
#include "shared/values.cl"

#define DECODE16(format) JOIN(decode16_, format)
// Elements and bytes of a block.
#define BLOCK(format) JOIN(block_, format)
#define BLOCK_BYTES(format) JOIN(block_bytes_, format)
#define block_f32 1
#define block_f16 1
#define block_bf16 1
#define block_q4_0 32
#define block_q4_1 32
#define block_q5_0 32
#define block_q5_1 32
#define block_q8_0 32
#define block_iq4_nl 32
#define block_mxfp4 32
#define block_q4_z 32
#define block_nf4 32
#define block_q2_K 256
#define block_q3_K 256
#define block_q4_K 256
#define block_q5_K 256
#define block_q6_K 256
#define block_tq2_0 256
#define block_bytes_f32 4
#define block_bytes_f16 2
#define block_bytes_bf16 2

inline float16 decode16_f32(global const uchar *row, long run) { return load16_f32(row + 64 * run); }
inline float16 decode16_f16(global const uchar *row, long run) { return load16_f16(row + 32 * run); }
inline float16 decode16_bf16(global const uchar *row, long run) { return load16_bf16(row + 32 * run); }

// 16 nibbles: low ones of 16 bytes, or high ones.
inline int16 nibbles(global const uchar *q, int high) { return convert_int16(vload16(0, q)) >> 4 * high & 15; }
// Bit j of `bits` in lane j.
inline int16 lane_bits(uint bits) { return as_int16((uint16)bits >> (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) & 1u); }
inline uint load_word(global const uchar *p) { return p[0] | (uint)p[1] << 8 | (uint)p[2] << 16 | (uint)p[3] << 24; }

inline float16 decode16_q4_0(global const uchar *row, long run) {
  global const uchar *b = row + 18 * (run >> 1);
  return convert_float16(nibbles(b + 2, run & 1) - 8) * load_f16(b);
}
inline float16 decode16_q4_1(global const uchar *row, long run) {
  global const uchar *b = row + 20 * (run >> 1);
  return convert_float16(nibbles(b + 4, run & 1)) * load_f16(b) + load_f16(b + 2);
}
inline float16 decode16_q5_0(global const uchar *row, long run) {
  global const uchar *b = row + 22 * (run >> 1);
  int16 q = nibbles(b + 6, run & 1) | lane_bits(load_word(b + 2) >> 16 * (run & 1)) << 4;
  return convert_float16(q - 16) * load_f16(b);
}
inline float16 decode16_q5_1(global const uchar *row, long run) {
  global const uchar *b = row + 24 * (run >> 1);
  int16 q = nibbles(b + 8, run & 1) | lane_bits(load_word(b + 4) >> 16 * (run & 1)) << 4;
  return convert_float16(q) * load_f16(b) + load_f16(b + 2);
}
inline float16 decode16_q8_0(global const uchar *row, long run) {
  global const uchar *b = row + 34 * (run >> 1);
  return convert_float16(vload16(0, (global const char *)(b + 2 + 16 * (run & 1)))) * load_f16(b);
}
// The codebook of iq4_nl: eight negative and eight positive values.
inline float16 decode16_iq4_nl(global const uchar *row, long run) {
  const char16 values = (char16)(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  global const uchar *b = row + 18 * (run >> 1);
  return convert_float16(shuffle(values, convert_uchar16(nibbles(b + 2, run & 1)))) * load_f16(b);
}
// Doubled e2m1 values; the scale is half a power of two.
inline float16 decode16_mxfp4(global const uchar *row, long run) {
  const char16 values = (char16)(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  global const uchar *b = row + 17 * (run >> 1);
  float scale = b[0] < 2 ? as_float(0x00200000u << b[0]) : as_float((uint)(b[0] - 1) << 23);
  return convert_float16(shuffle(values, convert_uchar16(nibbles(b + 1, run & 1)))) * scale;
}

// A zero point of its own, less than 2^16: the difference is exact.
inline float16 decode16_q4_z(global const uchar *row, long run) {
  global const uchar *b = row + 22 * (run >> 1);
  return convert_float16(nibbles(b + 6, run & 1) - (int)(load_word(b + 4) & 0xffffu)) * as_float(load_word(b));
}
// Quantiles of the normal distribution: QLoRA (Dettmers et al., 2023), appendix E.
inline float16 decode16_nf4(global const uchar *row, long run) {
  const float16 values = (float16)(-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
                                   -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
                                   0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f);
  global const uchar *b = row + 20 * (run >> 1);
  return shuffle(values, convert_uint16(nibbles(b + 4, run & 1))) * as_float(load_word(b));
}

// Formats of 256 elements: `run` counts 16 of them in a block.
inline float16 decode16_q2_K(global const uchar *row, long run) {
  int sub = run & 15;
  global const uchar *b = row + 84 * (run >> 4), *q = b + 16 + 32 * (sub / 8) + 16 * (sub & 1);
  float scale = load_f16(b + 80) * (b[sub] & 15), minimum = load_f16(b + 82) * (b[sub] >> 4);
  return scale * convert_float16(vload16(0, q) >> (uchar)(sub / 2 % 4 * 2) & (uchar)3) - minimum;
}
// Scale `sub` of 16 six-bit ones in 12 bytes.
inline int q3_scale(global const uchar *s, int sub) {
  int low = sub < 8 ? s[sub] & 15 : s[sub - 8] >> 4;
  return low | (s[8 + sub % 4] >> sub / 4 * 2 & 3) << 4;
}
inline float16 decode16_q3_K(global const uchar *row, long run) {
  int sub = run & 15;
  global const uchar *b = row + 110 * (run >> 4), *high = b + 16 * (sub & 1), *q = b + 32 + 32 * (sub / 8) + 16 * (sub & 1);
  float scale = load_f16(b + 108) * (q3_scale(b + 96, sub) - 32);
  int16 low = convert_int16(vload16(0, q) >> (uchar)(sub / 2 % 4 * 2) & (uchar)3), bits = convert_int16(vload16(0, high) >> (uchar)(sub / 2) & (uchar)1);
  return scale * convert_float16(low + bits * 4 - 4);
}
// Scale and minimum `j` of eight pairs of six bits in 12 bytes.
inline int2 k_scale(global const uchar *s, int j) {
  const int i = j & 3, low = s[i], middle = s[i + 4], high = s[i + 8];
  return j < 4 ? (int2)(low & 63, middle & 63) : (int2)((high & 15) | low >> 6 << 4, high >> 4 | middle >> 6 << 4);
}
inline float16 decode16_q4_K(global const uchar *row, long run) {
  int sub = run & 15, j = sub >> 1;
  global const uchar *b = row + 144 * (run >> 4);
  int2 s = k_scale(b + 4, j);
  return load_f16(b) * s.x * convert_float16(nibbles(b + 16 + 32 * (j / 2) + 16 * (sub & 1), j & 1)) - load_f16(b + 2) * s.y;
}
inline float16 decode16_q5_K(global const uchar *row, long run) {
  int sub = run & 15, j = sub >> 1;
  global const uchar *b = row + 176 * (run >> 4);
  int2 s = k_scale(b + 4, j);
  int16 high = convert_int16(vload16(0, b + 16 + 16 * (sub & 1)) >> (uchar)j & (uchar)1);
  return load_f16(b) * s.x * convert_float16(nibbles(b + 48 + 32 * (j / 2) + 16 * (sub & 1), j & 1) | high << 4) - load_f16(b + 2) * s.y;
}
// Runs 2 pair and 2 pair + 1: 32 elements that share what a block says of them.
inline void decode32_q4_K(global const uchar *row, long pair, float16 *first, float16 *second) {
  const int j = pair & 7;
  global const uchar *b = row + 144 * (pair >> 3), *q = b + 16 + 32 * (j / 2);
  const int2 s = k_scale(b + 4, j);
  const float scale = load_f16(b) * s.x, minimum = load_f16(b + 2) * s.y;
  *first = scale * convert_float16(nibbles(q, j & 1)) - minimum;
  *second = scale * convert_float16(nibbles(q + 16, j & 1)) - minimum;
}
inline void decode32_q5_K(global const uchar *row, long pair, float16 *first, float16 *second) {
  const int j = pair & 7;
  global const uchar *b = row + 176 * (pair >> 3), *q = b + 48 + 32 * (j / 2), *high = b + 16;
  const int2 s = k_scale(b + 4, j);
  const float scale = load_f16(b) * s.x, minimum = load_f16(b + 2) * s.y;
  *first = scale * convert_float16(nibbles(q, j & 1) | (convert_int16(vload16(0, high)) >> j & 1) << 4) - minimum;
  *second = scale * convert_float16(nibbles(q + 16, j & 1) | (convert_int16(vload16(0, high + 16)) >> j & 1) << 4) - minimum;
}
inline float16 decode16_q6_K(global const uchar *row, long run) {
  int sub = run & 15, part = sub / 8, quarter = sub / 2 % 4, odd = 16 * (sub & 1);
  global const uchar *b = row + 210 * (run >> 4), *low = b + 64 * part + 32 * (quarter & 1) + odd, *high = b + 128 + 32 * part + odd;
  int16 q = nibbles(low, quarter / 2) | convert_int16(vload16(0, high) >> (uchar)(quarter * 2) & (uchar)3) << 4;
  return load_f16(b + 208) * (char)b[192 + sub] * convert_float16(q - 32);
}
inline void decode32_q6_K(global const uchar *row, long pair, float16 *first, float16 *second) {
  const int sub = 2 * (pair & 7), part = sub / 8, quarter = sub / 2 % 4;
  global const uchar *b = row + 210 * (pair >> 3), *low = b + 64 * part + 32 * (quarter & 1), *high = b + 128 + 32 * part;
  const int16 q = nibbles(low, quarter / 2) | (convert_int16(vload16(0, high)) >> 2 * quarter & 3) << 4;
  const int16 r = nibbles(low + 16, quarter / 2) | (convert_int16(vload16(0, high + 16)) >> 2 * quarter & 3) << 4;
  const float d = load_f16(b + 208);
  *first = d * (char)b[192 + sub] * convert_float16(q - 32);
  *second = d * (char)b[193 + sub] * convert_float16(r - 32);
}
inline float16 decode16_tq2_0(global const uchar *row, long run) {
  int sub = run & 15;
  global const uchar *b = row + 66 * (run >> 4), *q = b + 32 * (sub / 8) + 16 * (sub & 1);
  return convert_float16(convert_int16(vload16(0, q) >> (uchar)(sub / 2 % 4 * 2) & (uchar)3) - 1) * load_f16(b + 64);
}

// The same of every other format.
#define DECODE32(format) JOIN(decode32_, format)
#define DEFINE_DECODE32(format)                                                                                           \
  inline void decode32_##format(global const uchar *row, long pair, float16 *first, float16 *second) {                    \
    *first = decode16_##format(row, 2 * pair);                                                                            \
    *second = decode16_##format(row, 2 * pair + 1);                                                                       \
  }
DEFINE_DECODE32(f32)
DEFINE_DECODE32(f16)
DEFINE_DECODE32(bf16)
DEFINE_DECODE32(q4_0)
DEFINE_DECODE32(q4_1)
DEFINE_DECODE32(q5_0)
DEFINE_DECODE32(q5_1)
DEFINE_DECODE32(q8_0)
DEFINE_DECODE32(iq4_nl)
DEFINE_DECODE32(mxfp4)
DEFINE_DECODE32(q4_z)
DEFINE_DECODE32(nf4)
DEFINE_DECODE32(q2_K)
DEFINE_DECODE32(q3_K)
DEFINE_DECODE32(tq2_0)
