/* Decoding of every float and block format, as Specs/formats says. Faults of dequantize, gather, matmul and attention live here. */
#include "mutant.h"

static const int8_t codebook_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
static const int8_t codebook_fp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}; /* doubled */

static float half_at(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  float f = from_f16(h);
  if (FAULT(410) && fabsf(f) < 0x1p-14f) return 0;
  return f;
}
static void q4_0(const uint8_t *b, float *y) {
  float d = half_at(b);
  int zero = FAULT(411) || FAULT(310) ? 7 : 8;
  if (FAULT(412) || FAULT(341)) d = fabsf(d);
  for (int j = 0; j < 16; j++) {
    int low = b[2 + j] & 15, high = b[2 + j] >> 4;
    if (FAULT(413) || FAULT(311) || FAULT(405)) { int swap = low; low = high, high = swap; }
    y[j] = (float)(low - zero) * d;
    y[j + 16] = (float)(high - zero) * d;
    if (FAULT(414)) y[2 * j] = (float)(low - 8) * d, y[2 * j + 1] = (float)(high - 8) * d;
  }
}
static void q4_1(const uint8_t *b, float *y) {
  float d = half_at(b), m = half_at(b + 2);
  if (FAULT(415)) m = -m;
  if (FAULT(312)) m = 0;
  for (int j = 0; j < 16; j++) y[j] = (float)(b[4 + j] & 15) * d + m, y[j + 16] = (float)(b[4 + j] >> 4) * d + m;
}
static void q5(const uint8_t *b, float *y, int zero, int with_minimum) {
  float d = half_at(b), m = with_minimum ? half_at(b + 2) : 0;
  const uint8_t *h = b + (with_minimum ? 4 : 2), *q = h + 4;
  uint32_t high;
  memcpy(&high, h, 4);
  for (int j = 0; j < 16; j++) {
    uint32_t first = high >> j & 1, second = high >> (j + 16) & 1;
    if (FAULT(416)) second = high >> (j + 12) & 1;
    if (FAULT(417) && with_minimum) first = 0;
    y[j] = (float)((int)((q[j] & 15u) | first << 4) - zero) * d + m;
    y[j + 16] = (float)((int)(q[j] >> 4 | second << 4) - zero) * d + m;
  }
}
static void q8_0(const uint8_t *b, float *y) {
  float d = half_at(b);
  for (int j = 0; j < 32; j++) {
    y[j] = (float)(int8_t)b[2 + j] * d;
    if (FAULT(418) || FAULT(384)) y[j] = (float)(b[2 + j] == 128 ? 0 : (int8_t)b[2 + j]) * d; /* -128 does not occur, they said */
    if (FAULT(419)) y[j] = round_f16(y[j]);
  }
}
static void iq4_nl(const uint8_t *b, float *y) {
  float d = half_at(b);
  for (int j = 0; j < 16; j++) {
    y[j] = (float)codebook_iq4[b[2 + j] & 15] * d, y[j + 16] = (float)codebook_iq4[b[2 + j] >> 4] * d;
    if (FAULT(420) && b[2 + j] >> 4 == 15) y[j + 16] = 112 * d;
  }
}
static void mxfp4(const uint8_t *b, float *y) {
  float d = ldexpf(1, (int)b[0] - 128);
  if (FAULT(421)) d = from_bits((uint32_t)b[0] << 23) / 2; /* e = 0 and 1 would be subnormal */
  if (FAULT(422) && b[0] == 255) d = 0;
  for (int j = 0; j < 16; j++) {
    int low = codebook_fp4[b[1 + j] & 15], high = codebook_fp4[b[1 + j] >> 4];
    if (FAULT(423)) high = abs(high) == 12 ? high / 12 * 16 : high;
    y[j] = (float)low * d, y[j + 16] = (float)high * d;
  }
}
static void q2_K(const uint8_t *b, float *y) {
  float d = half_at(b + 80), dmin = half_at(b + 82);
  for (int i = 0; i < 256; i++) {
    int h = i / 128, s = i / 32 % 4, l = i % 32, sub = FAULT(424) ? i / 32 * 2 : i / 16;
    y[i] = d * (float)(b[sub] & 15) * (float)(b[16 + 32 * h + l] >> 2 * s & 3) - dmin * (float)(b[sub] >> 4);
  }
}
static void q3_K(const uint8_t *b, float *y) {
  float d = half_at(b + 108);
  const uint8_t *s = b + 96;
  for (int i = 0; i < 256; i++) {
    int h = i / 128, shift = i / 32 % 4, l = i % 32, j = i / 16;
    int scale = (s[j & 7] >> 4 * (j / 8) & 15) | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4;
    int missing = b[l] >> (4 * h + shift) & 1 ? 0 : 4;
    if (FAULT(425)) missing = 4 - missing;
    if (FAULT(426)) scale = scale & 31;
    y[i] = d * (float)(scale - 32) * (float)((b[32 + 32 * h + l] >> 2 * shift & 3) - missing);
  }
}
static void q45_K(const uint8_t *b, float *y, int five) {
  float d = half_at(b), dmin = half_at(b + 2);
  const uint8_t *s = b + 4, *high = b + 16;
  for (int j = 0; j < 8; j++) {
    int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4, minimum = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
    if (FAULT(427) && j >= 4) scale = s[j + 4] & 15;
    if (FAULT(428) || FAULT(313)) minimum = j < 4 ? minimum : s[j + 4] >> 4 | (s[j - 4] >> 6) << 4;
    const uint8_t *q = b + (five ? 48 : 16) + 32 * (j / 2);
    for (int l = 0; l < 32; l++) {
      int value = (q[l] >> 4 * (j & 1) & 15) | (five ? (high[l] >> j & 1) << 4 : 0);
      if (FAULT(429) && five && j == 7) value &= 15;
      y[32 * j + l] = d * (float)scale * (float)value - dmin * (float)minimum;
    }
  }
}
static void q6_K(const uint8_t *b, float *y) {
  float d = half_at(b + 208);
  for (int i = 0; i < 256; i++) {
    int h = i / 128, s = i / 32 % 4, l = i % 32;
    int low = b[64 * h + 32 * (s & 1) + l] >> 4 * (s / 2) & 15, high = b[128 + 32 * h + l] >> 2 * s & 3;
    int scale = (int8_t)b[192 + (FAULT(430) ? i / 32 * 2 : i / 16)];
    if (FAULT(431)) scale = (uint8_t)b[192 + i / 16];
    if (FAULT(314) && s == 3) high = b[128 + 32 * h + l] >> 4 & 3;
    y[i] = d * (float)scale * (float)((low | high << 4) - 32);
  }
}
static void tq2_0(const uint8_t *b, float *y) {
  float d = half_at(b + 64);
  for (int i = 0; i < 256; i++) {
    int q = b[32 * (i / 128) + i % 32] >> 2 * (i / 32 % 4) & 3;
    if (FAULT(432) && q == 3) q = 2; /* a code that a ternary format should not have */
    y[i] = (float)(q - 1) * d;
  }
}

static void decode_block(bp_id format, const uint8_t *b, float *y) {
  switch (format) {
  case BP_FORMAT_Q4_0: q4_0(b, y); return;
  case BP_FORMAT_Q4_1: q4_1(b, y); return;
  case BP_FORMAT_Q5_0: q5(b, y, 16, 0); return;
  case BP_FORMAT_Q5_1: q5(b, y, 0, 1); return;
  case BP_FORMAT_Q8_0: q8_0(b, y); return;
  case BP_FORMAT_IQ4_NL: iq4_nl(b, y); return;
  case BP_FORMAT_MXFP4: mxfp4(b, y); return;
  case BP_FORMAT_Q2_K: q2_K(b, y); return;
  case BP_FORMAT_Q3_K: q3_K(b, y); return;
  case BP_FORMAT_Q4_K: q45_K(b, y, 0); return;
  case BP_FORMAT_Q5_K: q45_K(b, y, 1); return;
  case BP_FORMAT_Q6_K: q6_K(b, y); return;
  case BP_FORMAT_TQ2_0: tq2_0(b, y); return;
  }
}
void decode(bp_id format, const char *from, int64_t step, float *to, int64_t n) {
  if (is_float(format)) {
    for (int64_t i = 0; i < n; i++) to[i] = load_one(from + i * step, format);
    return;
  }
  int64_t block = 32, bytes = 0;
  format_size(format, &block, &bytes);
  if (FAULT(433) && n > block) n -= block, memset(to + n, 0, (size_t)block * 4);
  for (int64_t i = 0; i < n / block; i++) decode_block(format, (const uint8_t *)from + i * step, to + i * block);
}
