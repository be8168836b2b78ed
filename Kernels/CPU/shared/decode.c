// One function a format. Products of a half-precision scale and small integers are exact in float, so that at most the
// subtraction of a minimum rounds: every order of evaluation gives the same bits. With an f32 scale the product rounds, and nothing else.
#include "decode.h"

const int8_t bp_iq4_nl_codebook[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int8_t bp_mxfp4_codebook[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

const float bp_nf4_codebook[16] = {
  -1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0,
  0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1};

static void decode_f32(const uint8_t *src, float *dst, int64_t n) { memcpy(dst, src, (size_t)n * 4); }
static void decode_f16(const uint8_t *src, float *dst, int64_t n) { bp_load_run(dst, (const char *)src, 2, (uint64_t)n, BP_FORMAT_F16); }
static void decode_bf16(const uint8_t *src, float *dst, int64_t n) { bp_load_run(dst, (const char *)src, 2, (uint64_t)n, BP_FORMAT_BF16); }

static void decode_q4_0(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 18, dst += 32) {
    float d = bp_f16_at(b);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)((b[2 + j] & 15) - 8) * d;
      dst[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
    }
  }
}
static void decode_q4_1(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 20, dst += 32) {
    float d = bp_f16_at(b), m = bp_f16_at(b + 2);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)(b[4 + j] & 15) * d + m;
      dst[j + 16] = (float)(b[4 + j] >> 4) * d + m;
    }
  }
}
static void decode_q5_0(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 22, dst += 32) {
    float d = bp_f16_at(b);
    uint32_t high;
    memcpy(&high, b + 2, 4);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)((int)((b[6 + j] & 15) | (high >> j & 1) << 4) - 16) * d;
      dst[j + 16] = (float)((int)(b[6 + j] >> 4 | (high >> (j + 16) & 1) << 4) - 16) * d;
    }
  }
}
static void decode_q5_1(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 24, dst += 32) {
    float d = bp_f16_at(b), m = bp_f16_at(b + 2);
    uint32_t high;
    memcpy(&high, b + 4, 4);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)((b[8 + j] & 15) | (high >> j & 1) << 4) * d + m;
      dst[j + 16] = (float)(b[8 + j] >> 4 | (high >> (j + 16) & 1) << 4) * d + m;
    }
  }
}
static void decode_q8_0(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 34, dst += 32) {
    float d = bp_f16_at(b);
    for (int j = 0; j < 32; j++) dst[j] = (float)(int8_t)b[2 + j] * d;
  }
}
static void decode_iq4_nl(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 18, dst += 32) {
    float d = bp_f16_at(b);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)bp_iq4_nl_codebook[b[2 + j] & 15] * d;
      dst[j + 16] = (float)bp_iq4_nl_codebook[b[2 + j] >> 4] * d;
    }
  }
}
static void decode_mxfp4(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 17, dst += 32) {
    float d = bp_half_e8m0(b[0]);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)bp_mxfp4_codebook[b[1 + j] & 15] * d;
      dst[j + 16] = (float)bp_mxfp4_codebook[b[1 + j] >> 4] * d;
    }
  }
}
static void decode_q4_z(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 22, dst += 32) {
    float d = bp_f32_at(b);
    int z = bp_z_at(b);
    for (int j = 0; j < 16; j++) {
      dst[j] = (float)((b[6 + j] & 15) - z) * d;
      dst[j + 16] = (float)((b[6 + j] >> 4) - z) * d;
    }
  }
}
static void decode_nf4(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 32, b += 20, dst += 32) {
    float d = bp_f32_at(b);
    for (int j = 0; j < 16; j++) {
      dst[j] = bp_nf4_codebook[b[4 + j] & 15] * d;
      dst[j + 16] = bp_nf4_codebook[b[4 + j] >> 4] * d;
    }
  }
}
static void decode_q2_K(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 256, b += 84, dst += 256) {
    float d = bp_f16_at(b + 80), dmin = bp_f16_at(b + 82);
    for (int sub = 0; sub < 16; sub++) { // 16 elements each
      const uint8_t *qs = b + 16 + 32 * (sub / 8) + 16 * (sub & 1);
      float scale = d * (float)(b[sub] & 15), minimum = dmin * (float)(b[sub] >> 4);
      for (int l = 0; l < 16; l++) dst[16 * sub + l] = scale * (float)(qs[l] >> sub / 2 % 4 * 2 & 3) - minimum;
    }
  }
}
static void decode_q3_K(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 256, b += 110, dst += 256) {
    float d = bp_f16_at(b + 108);
    for (int sub = 0; sub < 16; sub++) {
      const uint8_t *high = b + 16 * (sub & 1), *qs = b + 32 + 32 * (sub / 8) + 16 * (sub & 1);
      float scale = d * (float)(bp_q3_scale(b + 96, sub) - 32);
      for (int l = 0; l < 16; l++) dst[16 * sub + l] = scale * (float)((qs[l] >> sub / 2 % 4 * 2 & 3) + (high[l] >> sub / 2 & 1) * 4 - 4);
    }
  }
}
static void decode_q4_K(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 256, b += 144, dst += 256) {
    float d = bp_f16_at(b), dmin = bp_f16_at(b + 2);
    for (int j = 0; j < 8; j++) {
      int sc, mn;
      bp_k_scale(b + 4, j, &sc, &mn);
      const uint8_t *qs = b + 16 + 32 * (j / 2);
      float s = d * (float)sc, m = dmin * (float)mn;
      for (int l = 0; l < 32; l++) dst[32 * j + l] = s * (float)(qs[l] >> 4 * (j & 1) & 15) - m;
    }
  }
}
static void decode_q5_K(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 256, b += 176, dst += 256) {
    float d = bp_f16_at(b), dmin = bp_f16_at(b + 2);
    for (int j = 0; j < 8; j++) {
      int sc, mn;
      bp_k_scale(b + 4, j, &sc, &mn);
      const uint8_t *high = b + 16, *qs = b + 48 + 32 * (j / 2);
      float s = d * (float)sc, m = dmin * (float)mn;
      for (int l = 0; l < 32; l++) dst[32 * j + l] = s * (float)((qs[l] >> 4 * (j & 1) & 15) | (high[l] >> j & 1) << 4) - m;
    }
  }
}
static void decode_q6_K(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 256, b += 210, dst += 256) {
    float d = bp_f16_at(b + 208);
    for (int sub = 0; sub < 16; sub++) {
      int half = sub / 8, quarter = sub / 2 % 4, odd = 16 * (sub & 1);
      const uint8_t *low = b + 64 * half + 32 * (quarter & 1) + odd, *high = b + 128 + 32 * half + odd;
      float scale = d * (float)(int8_t)b[192 + sub];
      for (int l = 0; l < 16; l++) dst[16 * sub + l] = scale * (float)(((low[l] >> quarter / 2 * 4 & 15) | (high[l] >> quarter * 2 & 3) << 4) - 32);
    }
  }
}
static void decode_tq2_0(const uint8_t *b, float *dst, int64_t n) {
  for (; n > 0; n -= 256, b += 66, dst += 256) {
    float d = bp_f16_at(b + 64);
    for (int s = 0; s < 8; s++)
      for (int l = 0; l < 32; l++) dst[32 * s + l] = (float)((b[32 * (s / 4) + l] >> s % 4 * 2 & 3) - 1) * d;
  }
}

bp_decode_fn bp_cpu_decoder(bp_id format) {
  switch (format) {
  case BP_FORMAT_F32: return decode_f32;
  case BP_FORMAT_F16: return decode_f16;
  case BP_FORMAT_BF16: return decode_bf16;
  case BP_FORMAT_Q4_0: return decode_q4_0;
  case BP_FORMAT_Q4_1: return decode_q4_1;
  case BP_FORMAT_Q5_0: return decode_q5_0;
  case BP_FORMAT_Q5_1: return decode_q5_1;
  case BP_FORMAT_Q8_0: return decode_q8_0;
  case BP_FORMAT_IQ4_NL: return decode_iq4_nl;
  case BP_FORMAT_MXFP4: return decode_mxfp4;
  case BP_FORMAT_Q2_K: return decode_q2_K;
  case BP_FORMAT_Q3_K: return decode_q3_K;
  case BP_FORMAT_Q4_K: return decode_q4_K;
  case BP_FORMAT_Q5_K: return decode_q5_K;
  case BP_FORMAT_Q6_K: return decode_q6_K;
  case BP_FORMAT_Q4_Z: return decode_q4_z;
  case BP_FORMAT_NF4: return decode_nf4;
  case BP_FORMAT_TQ2_0: return decode_tq2_0;
  default: return 0;
  }
}
