// The AVX2 meaning of the names that i8_*.h are written in, with AVX-VNNI where I8_VNNI is 1.
//
// Without it, products of unsigned and signed bytes are summed by pairs in 16 bits, which those of formats of up to 6 bits fit for some
// steps; formats that fill 8 bits stay signed and lend their sign to the activation.
#ifndef BACKPLANE_CPU_I8_LANES_H
#define BACKPLANE_CPU_I8_LANES_H
#include "../shared/lanes_avx2.h"
#define I8_FN static inline __attribute__((always_inline))
#include "i8_scales.h"

// Registers of a group; rows of a strip; bytes of a row that lie together; columns whose dots go on together; most rows of dots; of quads.
enum { I8_REGISTERS = 4, I8_STRIP = I8_TILES ? 16 : 4, I8_WORD = 4, I8_TOGETHER = 1, I8_DOT_MOST = 4, I8_QUAD_MOST = 0 };
typedef __m256i vi;
// Sixteen registers: left alone, compilers turn the loops of a tile round, keep all of the panel's words and write them to the stack for the next row.
#define I8_KEEP(x) __asm__ volatile("" : "+x"(x))
// As with rows of activations: what the next column needs is read again where it lies.
#define I8_AGAIN(p) __asm__ volatile("" : "+r"(p))

I8_FN vi i8_load(const void *p) { return _mm256_loadu_si256(p); }
I8_FN void i8_transpose(const vi *rows, char *to, int64_t to_row) { v_transpose((const float *)rows, LANES, (float *)to, to_row); }
I8_FN vi i8_set(int32_t x) { return _mm256_set1_epi32(x); }
I8_FN vf i8_float(vi x) { return _mm256_cvtepi32_ps(x); }
I8_FN int i8_is_signed(int code) { return !I8_VNNI && i8_is_wide(code); }
I8_FN int i8_is_paired(int code) { (void)code; return 0; }
I8_FN int i8_dot_most(int code) { return i8_is_split(code) ? I8_DOT_MOST : 2; } // beyond, a panel is faster
I8_FN int i8_zero_of(int code) { return i8_is_signed(code) ? 0 : i8_offset(code); }

#if I8_VNNI
I8_FN int i8_most_steps(int code) { (void)code; return 8; }
I8_FN vi i8_begin(vi correction) { return correction; }
I8_FN vi i8_dot(int code, vi sums, vi w, vi a) { (void)code; return _mm256_dpbusd_avx_epi32(sums, w, a); }
I8_FN vi i8_end(int code, vi sums, vi correction) { (void)code, (void)correction; return sums; }
#else
// How many products of a pair fit in 16 bits: 2 * 127 times the largest number of the format, each.
I8_FN int i8_most_steps(int code) {
  switch (code) {
  case I8_Q5_0: case I8_Q5_1: case I8_Q5_K: case I8_MXFP4: return 4;
  case I8_Q6_K: return 2;
  default: return 8; // of wide formats sums have 32 bits
  }
}
I8_FN vi i8_begin(vi correction) { (void)correction; return _mm256_setzero_si256(); }
I8_FN vi i8_dot(int code, vi sums, vi w, vi a) {
  if (!i8_is_wide(code)) return _mm256_add_epi16(sums, _mm256_maddubs_epi16(w, a));
  return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w)), _mm256_set1_epi16(1)));
}
I8_FN vi i8_end(int code, vi sums, vi correction) {
  return i8_is_wide(code) ? sums : _mm256_add_epi32(correction, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
}
#endif

// One factor for each scale of the register: `lanes` lanes each.
I8_FN vf i8_spread(int lanes, const float *p) {
  if (lanes == 8) return v_set(p[0]);
  double pair;
  memcpy(&pair, p, 8);
  return _mm256_permutevar_ps(_mm256_castpd_ps(_mm256_set1_pd(pair)), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
}

#include "i8_factors.h"

I8_FN __m256i i8_two(const uint8_t *p, int64_t stride) { // 16 bytes from each of two blocks
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)), _mm_loadu_si128((const __m128i *)(p + stride)), 1);
}
// 16 in byte i where bit i of the two halves is set.
I8_FN __m256i i8_fifth(uint32_t low, uint32_t high) {
  const __m256i pick = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i each = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  __m256i x = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)((low & 0xffff) | high << 16)), pick), each);
  return _mm256_and_si256(_mm256_cmpeq_epi8(x, each), _mm256_set1_epi8(16));
}
// `value` where the bit of x is set.
I8_FN __m256i i8_where(__m256i x, int bit, int value) {
  __m256i one = _mm256_set1_epi8((char)(1 << bit));
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(x, one), one), _mm256_set1_epi8((char)value));
}

// The numbers of group `part` of the step at b.
I8_FN void i8_codes(int code, const uint8_t *b, int part, vi q[I8_REGISTERS]) {
  const __m256i nibble = _mm256_set1_epi8(15);
  const int bytes = i8_block_bytes(code);
  switch (code) {
  case I8_Q4_0: case I8_Q4_1: case I8_IQ4_NL: case I8_MXFP4: case I8_Q4_Z: case I8_Q5_0: case I8_Q5_1:
    for (int i = 0; i < 2; i++) { // blocks 2 i and 2 i + 1
      const uint8_t *two = b + 2 * i * bytes;
      __m256i x = i8_two(two + bytes - 16, bytes);
      q[i] = _mm256_and_si256(x, nibble);
      q[2 + i] = _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble);
      if (code == I8_IQ4_NL || code == I8_MXFP4) {
        __m128i table = _mm_loadu_si128((const __m128i *)(code == I8_MXFP4 ? bp_mxfp4_codebook : bp_iq4_nl_codebook));
        table = _mm_add_epi8(table, _mm_set1_epi8((char)i8_zero_of(code)));
        for (int j = i; j < 4; j += 2) q[j] = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), q[j]);
      }
      if (code == I8_Q5_0 || code == I8_Q5_1) {
        uint32_t high[2];
        for (int j = 0; j < 2; j++) memcpy(&high[j], two + j * bytes + bytes - 20, 4);
        q[i] = _mm256_or_si256(q[i], i8_fifth(high[0], high[1]));
        q[2 + i] = _mm256_or_si256(q[2 + i], i8_fifth(high[0] >> 16, high[1] >> 16));
      }
    }
    return;
  case I8_Q8_0:
    for (int i = 0; i < 4; i++) {
      q[i] = i8_two(b + (i & 1) * 2 * bytes + 2 + 16 * (i / 2), bytes);
      if (!i8_is_signed(code)) q[i] = _mm256_xor_si256(q[i], _mm256_set1_epi8((char)128));
    }
    return;
  case I8_Q2_K: case I8_Q3_K: case I8_TQ2_0: {
    __m256i x = i8_load(b + (code == I8_Q2_K ? 16 : code == I8_Q3_K ? 32 : 0) + 32 * part);
    for (int i = 0; i < 4; i++) {
      q[i] = _mm256_and_si256(_mm256_srli_epi16(x, 2 * i), _mm256_set1_epi8(3));
      if (code == I8_Q3_K) q[i] = _mm256_or_si256(q[i], i8_where(i8_load(b), 4 * part + i, 4));
    }
    return;
  }
  case I8_Q4_K: case I8_Q5_K:
    for (int i = 0; i < 4; i++) {
      __m256i x = i8_load(b + (code == I8_Q5_K ? 48 : 16) + 64 * part + 32 * (i / 2));
      q[i] = _mm256_and_si256(i & 1 ? _mm256_srli_epi16(x, 4) : x, nibble);
      if (code == I8_Q5_K) q[i] = _mm256_or_si256(q[i], i8_where(i8_load(b + 16), 4 * part + i, 16));
    }
    return;
  case I8_Q6_K:
    for (int i = 0; i < 4; i++) {
      __m256i low = i8_load(b + 64 * part + 32 * (i & 1)), high = i8_load(b + 128 + 32 * part);
      high = i < 2 ? _mm256_slli_epi16(high, 4 - 2 * i) : i == 3 ? _mm256_srli_epi16(high, 2) : high;
      q[i] = _mm256_or_si256(_mm256_and_si256(i & 2 ? _mm256_srli_epi16(low, 4) : low, nibble), _mm256_and_si256(high, _mm256_set1_epi8(48)));
    }
    return;
  }
}
#endif
