// The AVX-512 VNNI meaning of the names that i8_*.h are written in.
#ifndef BACKPLANE_CPU_I8_LANES_H
#define BACKPLANE_CPU_I8_LANES_H
#include "../shared/lanes_avx512.h"
#define I8_FN static inline __attribute__((always_inline))
#include "i8_scales.h"

// Registers of a group; rows of a strip; bytes of a row that lie together; columns whose dots go on together; most rows of dots; of quads.
enum { I8_REGISTERS = 2, I8_STRIP = I8_TILES ? 16 : 6, I8_WORD = 4, I8_TOGETHER = 4, I8_DOT_MOST = 2, I8_QUAD_MOST = 16 };
typedef __m512i vi;

I8_FN vi i8_load(const void *p) { return _mm512_loadu_si512(p); }
I8_FN void i8_store(void *p, vi x) { _mm512_storeu_si512(p, x); }
I8_FN void i8_transpose(const vi *rows, char *to, int64_t to_row) { v_transpose((const float *)rows, LANES, (float *)to, to_row); }
I8_FN vi i8_set(int32_t x) { return _mm512_set1_epi32(x); }
I8_FN vf i8_float(vi x) { return _mm512_cvtepi32_ps(x); }
I8_FN int i8_is_paired(int code) { return code == I8_Q4_K || code == I8_Q5_K; }
I8_FN int i8_dot_most(int code) { (void)code; return I8_DOT_MOST; }
I8_FN int i8_zero_of(int code) { return i8_offset(code); }
// Sums of four products each: begun with a correction, continued by registers of weights and activations, ended.
I8_FN int i8_most_steps(int code) { (void)code; return 8; }
I8_FN vi i8_begin(vi correction) { return correction; }
I8_FN vi i8_dot(int code, vi sums, vi w, vi a) { (void)code; return _mm512_dpbusd_epi32(sums, w, a); }
I8_FN vi i8_end(int code, vi sums, vi correction) { (void)code, (void)correction; return sums; }

// Blocks of 18 to 24 bytes: words of four of them, 96 bytes at most, are gathered from two registers.
// Words at byte `first` of each of the four, `count` of them one after the other or one of them again and again.
I8_FN __m512i i8_words(int code, const uint8_t *b, int first, int count, int again) {
  const int bytes = i8_block_bytes(code), rest = 4 * bytes - 64; // where the second register begins
  short at[32];
  for (int i = 0; i < 32; i++) {
    int byte = i / count % 4 * bytes + first + (again ? 0 : 2 * (i % count));
    at[i] = (short)(byte < 64 ? byte / 2 : 32 + (byte - rest) / 2);
  }
  return _mm512_permutex2var_epi16(_mm512_loadu_si512(b), _mm512_loadu_si512(at), _mm512_loadu_si512(b + rest));
}

// What i8_scales gives, in registers: of split formats in the lanes that they belong to. Paired formats have minima in the upper half of
// `scale`.
typedef struct i8_factors { vf scale, least; } i8_factors;

I8_FN vf i8_pick(vf x, __m512i lanes) { return _mm512_permutexvar_ps(lanes, x); }
I8_FN vf i8_quarters(__m128 x) { return i8_pick(_mm512_castps128_ps512(x), _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)); }
I8_FN vf i8_signed_bytes(__m128i x) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x)); }

I8_FN i8_factors i8_factors_of(int code, const uint8_t *b) {
  const __m128i nibble = _mm_set1_epi8(15);
  i8_factors f = {v_zero(), v_zero()};
  switch (code) {
  case I8_Q2_K: {
    __m128i x = _mm_loadu_si128((const __m128i *)b);
    f.scale = v_mul(i8_signed_bytes(_mm_and_si128(x, nibble)), v_set(i8_half(b + 80)));
    f.least = v_mul(i8_signed_bytes(_mm_and_si128(_mm_srli_epi16(x, 4), nibble)), v_set(-i8_half(b + 82)));
    return f;
  }
  case I8_Q3_K: f.scale = v_mul(i8_signed_bytes(i8_q3_scales(b)), v_set(i8_half(b + 108))); return f;
  case I8_Q4_K: case I8_Q5_K: {
    int32_t head;
    memcpy(&head, b, 4);
    __m128 d = _mm_xor_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(head)), _mm_setr_ps(0, -0.0f, 0, 0));
    vf both = i8_pick(_mm512_castps128_ps512(d), _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
    f.scale = v_mul(i8_signed_bytes(v_k_scales(b)), both);
    return f;
  }
  case I8_Q6_K: f.scale = v_mul(i8_signed_bytes(_mm_loadu_si128((const __m128i *)(b + 192))), v_set(i8_half(b + 208))); return f;
  case I8_TQ2_0: f.scale = v_set(i8_half(b + 64)); return f;
  case I8_Q8_0: case I8_MXFP4: {
    float scales[32];
    i8_scales(code, b, scales);
    f.scale = i8_quarters(_mm_loadu_ps(scales));
    return f;
  }
  case I8_Q4_Z: {
    __m512i zero = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(i8_words(code, b, 4, 4, 1)));
    f.scale = i8_quarters(_mm512_castps512_ps128(_mm512_castsi512_ps(i8_words(code, b, 0, 2, 0))));
    f.least = v_mul(_mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_setzero_si512(), zero)), f.scale);
    return f;
  }
  default:
    f.scale = _mm512_cvtph_ps(_mm512_castsi512_si256(i8_words(code, b, 0, 4, 1)));
    if (i8_has_minimum(code)) f.least = _mm512_cvtph_ps(_mm512_castsi512_si256(i8_words(code, b, 2, 4, 1)));
    return f;
  }
}
// Scales for the lanes of register `index` of a step.
I8_FN vf i8_factor(int code, const i8_factors *f, int index) {
  if (i8_is_split(code) || code == I8_TQ2_0) return f->scale;
  if (i8_sub(code) == 16) {
    int i = 4 * index;
    return i8_pick(f->scale, _mm512_setr_epi32(i, i, i, i, i + 1, i + 1, i + 1, i + 1, i + 2, i + 2, i + 2, i + 2, i + 3, i + 3, i + 3, i + 3));
  }
  int i = 4 * (index / 2) + index % 2, j = i + 2;
  return i8_pick(f->scale, _mm512_setr_epi32(i, i, i, i, i, i, i, i, j, j, j, j, j, j, j, j));
}
I8_FN vf i8_least(int code, const i8_factors *f, int index) { (void)code, (void)index; return f->least; }
// Minima of a block of 256 times its corrections.
I8_FN vf i8_add_minima(int code, const i8_factors *f, const float *corrections, vf acc) {
  if (i8_sub(code) == 16) return v_fma(f->least, v_load(corrections), acc);
  return _mm512_mask3_fmadd_ps(f->scale, v_load(corrections - 8), acc, 0xff00); // what lies before them is not used
}

I8_FN __m512i i8_four(const uint8_t *p, int64_t stride) { // 16 bytes from each of four blocks
  __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)), _mm_loadu_si128((const __m128i *)(p + stride)), 1);
  __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(p + 2 * stride))), _mm_loadu_si128((const __m128i *)(p + 3 * stride)), 1);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
I8_FN __m512i i8_twice(const uint8_t *p) { return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p)); }
// Other shifts for the lower and the upper half.
I8_FN __m512i i8_shift_right(__m512i x, int low, int high) {
  return _mm512_srlv_epi16(x, _mm512_inserti64x4(_mm512_set1_epi16((short)low), _mm256_set1_epi16((short)high), 1));
}
I8_FN __m512i i8_shift_left(__m512i x, int low, int high) {
  return _mm512_sllv_epi16(x, _mm512_inserti64x4(_mm512_set1_epi16((short)low), _mm256_set1_epi16((short)high), 1));
}

// The unsigned numbers of group `part` of the step at b.
I8_FN void i8_codes(int code, const uint8_t *b, int part, vi q[I8_REGISTERS]) {
  const __m512i nibble = _mm512_set1_epi8(15);
  const int bytes = i8_block_bytes(code);
  switch (code) {
  case I8_Q4_0: case I8_Q4_1: case I8_IQ4_NL: case I8_MXFP4: case I8_Q4_Z: case I8_Q5_0: case I8_Q5_1: {
    __m512i x = code == I8_MXFP4 ? i8_four(b + bytes - 16, bytes) : i8_words(code, b, bytes - 16, 8, 0);
    q[0] = _mm512_and_si512(x, nibble);
    q[1] = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
    if (code == I8_IQ4_NL || code == I8_MXFP4) {
      __m128i table = _mm_add_epi8(_mm_loadu_si128((const __m128i *)(code == I8_MXFP4 ? bp_mxfp4_codebook : bp_iq4_nl_codebook)), _mm_set1_epi8((char)i8_offset(code)));
      for (int i = 0; i < 2; i++) q[i] = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), q[i]);
    }
    if (code == I8_Q5_0 || code == I8_Q5_1) {
      uint64_t low = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(i8_words(code, b, bytes - 20, 1, 0)));
      uint64_t up = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(i8_words(code, b, bytes - 18, 1, 0)));
      q[0] = _mm512_mask_add_epi8(q[0], low, q[0], _mm512_set1_epi8(16));
      q[1] = _mm512_mask_add_epi8(q[1], up, q[1], _mm512_set1_epi8(16));
    }
    return;
  }
  case I8_Q8_0:
    for (int i = 0; i < 2; i++) q[i] = _mm512_xor_si512(i8_four(b + 2 + 16 * i, bytes), _mm512_set1_epi8((char)128));
    return;
  case I8_Q2_K: case I8_Q3_K: case I8_TQ2_0: {
    __m512i x = i8_twice(b + (code == I8_Q2_K ? 16 : code == I8_Q3_K ? 32 : 0) + 32 * part);
    for (int i = 0; i < 2; i++) q[i] = _mm512_and_si512(i8_shift_right(x, 4 * i, 4 * i + 2), _mm512_set1_epi8(3));
    if (code != I8_Q3_K) return;
    __m512i high = i8_twice(b);
    for (int i = 0; i < 2; i++) {
      __m512i bit = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << (4 * part + 2 * i))), _mm256_set1_epi8((char)(2 << (4 * part + 2 * i))), 1);
      q[i] = _mm512_mask_add_epi8(q[i], _mm512_test_epi8_mask(high, bit), q[i], _mm512_set1_epi8(4));
    }
    return;
  }
  case I8_Q4_K: case I8_Q5_K: // paired
    for (int i = 0; i < 2; i++) {
      __m512i x = _mm512_loadu_si512(b + (code == I8_Q5_K ? 48 : 16) + 64 * part);
      q[i] = _mm512_and_si512(i ? _mm512_srli_epi16(x, 4) : x, nibble);
      if (code != I8_Q5_K) continue;
      __m512i bit = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << (4 * part + i))), _mm256_set1_epi8((char)(4 << (4 * part + i))), 1);
      q[i] = _mm512_mask_add_epi8(q[i], _mm512_test_epi8_mask(i8_twice(b + 16), bit), q[i], _mm512_set1_epi8(16));
    }
    return;
  case I8_Q6_K: {
    __m512i low = _mm512_loadu_si512(b + 64 * part), high = i8_twice(b + 128 + 32 * part), two = _mm512_set1_epi8(48);
    q[0] = _mm512_or_si512(_mm512_and_si512(low, nibble), _mm512_and_si512(i8_shift_left(high, 4, 2), two));
    q[1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(low, 4), nibble), _mm512_and_si512(i8_shift_right(high, 0, 2), two));
    return;
  }
  }
}
#endif
