// Block formats: decoding whole rows to float, as Specs/formats says, on any processor.
#ifndef BACKPLANE_CPU_DECODE_H
#define BACKPLANE_CPU_DECODE_H
#include "backplane_operators.h"
#include "values.h"


// Small numbers for the formats, in the order of the vector kernels' tables.
enum bp_code {
  BP_CODE_F32, BP_CODE_F16, BP_CODE_BF16, BP_CODE_Q4_0, BP_CODE_Q4_1, BP_CODE_Q5_0, BP_CODE_Q5_1, BP_CODE_Q8_0, BP_CODE_IQ4_NL,
  BP_CODE_MXFP4, BP_CODE_Q4_Z, BP_CODE_NF4, BP_CODE_Q4_K, BP_CODE_Q5_K, BP_CODE_Q6_K, BP_CODE_REST // formats without an unpacker of their own
};
static inline enum bp_code bp_code_of(bp_id format) {
  static const bp_id ids[] = {BP_FORMAT_F32, BP_FORMAT_F16, BP_FORMAT_BF16, BP_FORMAT_Q4_0, BP_FORMAT_Q4_1, BP_FORMAT_Q5_0, BP_FORMAT_Q5_1,
                              BP_FORMAT_Q8_0, BP_FORMAT_IQ4_NL, BP_FORMAT_MXFP4, BP_FORMAT_Q4_Z, BP_FORMAT_NF4, BP_FORMAT_Q4_K, BP_FORMAT_Q5_K, BP_FORMAT_Q6_K};
  for (int i = 0; i < BP_CODE_REST; i++)
    if (ids[i] == format) return (enum bp_code)i;
  return BP_CODE_REST;
}

static inline int bp_code_block(int code) { return code < BP_CODE_Q4_0 ? 1 : code < BP_CODE_Q4_K ? 32 : 256; }
static inline int bp_code_bytes(int code) {
  static const uint8_t bytes[] = {4, 2, 2, 18, 20, 22, 24, 34, 18, 17, 22, 20, 144, 176, 210};
  return bytes[code];
}
static inline int bp_code_has_minimum(int code) {
  return code == BP_CODE_Q4_1 || code == BP_CODE_Q5_1 || code == BP_CODE_Q4_K || code == BP_CODE_Q5_K;
}

// Decodes n elements, whole blocks; src needs no alignment.
typedef void (*bp_decode_fn)(const uint8_t *src, float *dst, int64_t n);

// The decoder of a float or block format; NULL for any other.
bp_decode_fn bp_cpu_decoder(bp_id format);

// Decodes n elements of `format`, whole blocks.
static inline void bp_cpu_decode_row(bp_id format, const void *src, float *dst, int64_t n) { bp_cpu_decoder(format)(src, dst, n); }

static inline float bp_f16_at(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, 2);
  return bp_from_f16(h);
}

static inline float bp_f32_at(const uint8_t *p) {
  float x;
  memcpy(&x, p, 4);
  return x;
}
// The zero point of a q4_z block.
static inline int bp_z_at(const uint8_t *b) { return b[4] | b[5] << 8; }
static inline int bp_code_has_f32_scale(int code) { return code == BP_CODE_Q4_Z || code == BP_CODE_NF4; }

// Half of an E8M0 scale, 2^(e - 128): the codebook of mxfp4 is doubled, so that its entries are integers.
static inline float bp_half_e8m0(uint8_t e) { return bp_float(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23); }

// Scale and minimum of 32-element sub-block j of a q4_K or q5_K block; `s` are its 12 bytes of scales.
static inline void bp_k_scale(const uint8_t *s, int j, int *scale, int *minimum) {
  *scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  *minimum = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
}

// 6-bit scale i of a q3_K block, offset by 32; `s` are its 12 bytes of scales.
static inline int bp_q3_scale(const uint8_t *s, int i) { return (s[i & 7] >> 4 * (i / 8) & 15) | (s[8 + i % 4] >> 2 * (i / 4) & 3) << 4; }

extern const int8_t bp_iq4_nl_codebook[16];
extern const int8_t bp_mxfp4_codebook[16]; // doubled
extern const float bp_nf4_codebook[16];

// The same rows with vector instructions, bit for bit.
void bp_decode_avx2(bp_id format, const void *src, float *dst, int64_t n);
void bp_decode_avx512(bp_id format, const void *src, float *dst, int64_t n);
void bp_decode_neon(bp_id format, const void *src, float *dst, int64_t n);

// n floats rounded to f32, f16 or bf16: to nearest, ties to even.
void bp_encode_avx2(bp_id format, const float *src, void *dst, int64_t n);
void bp_encode_avx512(bp_id format, const float *src, void *dst, int64_t n);
void bp_encode_neon(bp_id format, const float *src, void *dst, int64_t n);
#endif
