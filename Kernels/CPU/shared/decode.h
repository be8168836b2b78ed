// Block formats: decoding whole rows to float, as Specs/formats says, on any processor.
#ifndef BACKPLANE_CPU_DECODE_H
#define BACKPLANE_CPU_DECODE_H
#include "values.h"

#ifndef BP_FORMAT_Q2_K
#define BP_FORMAT_Q2_K 0x1d0309068f63426cull
#endif
#ifndef BP_FORMAT_Q3_K
#define BP_FORMAT_Q3_K 0x252af20693dcce17ull
#endif
#ifndef BP_FORMAT_Q4_0
#define BP_FORMAT_Q4_0 0xea5dba067313912full
#endif
#ifndef BP_FORMAT_Q4_1
#define BP_FORMAT_Q4_1 0xea5db90673138f7cull
#endif
#ifndef BP_FORMAT_Q4_K
#define BP_FORMAT_Q4_K 0xea5e13067314286aull
#endif
#ifndef BP_FORMAT_Q5_0
#define BP_FORMAT_Q5_0 0xf1ac710676d4d724ull
#endif
#ifndef BP_FORMAT_Q5_1
#define BP_FORMAT_Q5_1 0xf1ac720676d4d8d7ull
#endif
#ifndef BP_FORMAT_Q5_K
#define BP_FORMAT_Q5_K 0xf1ac5c0676d4b375ull
#endif
#ifndef BP_FORMAT_Q6_K
#define BP_FORMAT_Q6_K 0xf9d53d067b4fe488ull
#endif
#ifndef BP_FORMAT_Q8_0
#define BP_FORMAT_Q8_0 0xc6569e065e47ba9bull
#endif
#ifndef BP_FORMAT_IQ4_NL
#define BP_FORMAT_IQ4_NL 0x87762a3972bf34d0ull
#endif
#ifndef BP_FORMAT_MXFP4
#define BP_FORMAT_MXFP4 0x9670cad3b1e4bd96ull
#endif
#ifndef BP_FORMAT_TQ2_0
#define BP_FORMAT_TQ2_0 0xea53e4aec6bb0efbull
#endif

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
#endif
