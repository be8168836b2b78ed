// Block formats: one element of a block. Products of a half-precision scale and small whole numbers are exact in f32, so that at most the
// subtraction of a minimum rounds.

int block_elements(const int format) { return format < Q4_0 ? 1 : format >= Q2_K && format <= Q6_K || format == TQ2_0 ? 256 : 32; }
int block_bytes(const int format) {
  switch (format) {
  case F32: case I32: return 4;
  case F16: case BF16: case I16: return 2;
  case F64: case I64: return 8;
  case I8: case U8: case BOOL: return 1;
  case Q4_0: case IQ4_NL: return 18;
  case Q4_1: return 20;
  case Q5_0: return 22;
  case Q5_1: return 24;
  case Q8_0: return 34;
  case Q2_K: return 84;
  case Q3_K: return 110;
  case Q4_K: return 144;
  case Q5_K: return 176;
  case Q6_K: return 210;
  case MXFP4: return 17;
  case Q4_Z: return 22;
  case NF4: return 20;
  }
  return 66; // TQ2_0
}

float scale_at(uint64_t p) { return from_f16(half_bits_at(p)); }
uint half_word_at(uint64_t p) { return half_bits_at(p) | half_bits_at(p + 2ul) << 16; } // 32 bits aligned to 16
uint nibble(uint64_t p, uint j) { uint b = byte_at(p + uint64_t(j & 15u)); return j < 16u ? b & 15u : b >> 4; }

const int iq4_nl_codes[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int mxfp4_codes[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
// QLoRA (Dettmers et al., 2023), appendix E.
const float nf4_codes[16] = {-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
                             0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                             0.7229568362236023, 1.0};

// Scale and minimum number j of q4_K and q5_K, whose twelve bytes begin at p.
ivec2 k_scale(uint64_t p, uint j) {
  uint low = byte_at(p + uint64_t(j)), next = byte_at(p + uint64_t(j + 4u));
  if (j < 4u) return ivec2(low & 63u, next & 63u);
  uint early = byte_at(p + uint64_t(j - 4u));
  return ivec2((next & 15u) | (early >> 6) << 4, next >> 4 | (low >> 6) << 4);
}

float decode_simple(uint64_t p, const int format, uint j) {
  precise float y;
  switch (format) {
  case Q4_0: return float(int(nibble(p + 2ul, j)) - 8) * scale_at(p);
  case Q4_1: y = float(nibble(p + 4ul, j)) * scale_at(p); y = y + scale_at(p + 2ul); return y;
  case Q5_0: return float(int(nibble(p + 6ul, j) | (half_word_at(p + 2ul) >> j & 1u) << 4) - 16) * scale_at(p);
  case Q5_1: y = float(nibble(p + 8ul, j) | (half_word_at(p + 4ul) >> j & 1u) << 4) * scale_at(p); y = y + scale_at(p + 2ul); return y;
  case Q8_0: return float(sbyte_at(p + 2ul + uint64_t(j))) * scale_at(p);
  case IQ4_NL: return float(iq4_nl_codes[nibble(p + 2ul, j)]) * scale_at(p);
  case Q4_Z: return float(int(nibble(p + 6ul, j)) - int(half_bits_at(p + 4ul))) * uintBitsToFloat(half_word_at(p));
  case NF4: return nf4_codes[nibble(p + 4ul, j)] * uintBitsToFloat(half_word_at(p));
  }
  uint e = byte_at(p); // MXFP4: a power of two, halved because the codes are doubled
  return float(mxfp4_codes[nibble(p + 1ul, j)]) * uintBitsToFloat(e < 2u ? 0x00200000u << e : (e - 1u) << 23);
}

float decode_k(uint64_t p, const int format, uint j) {
  precise float y;
  uint sub16 = j >> 4, odd = 16u * (sub16 & 1u), l = j & 15u;
  switch (format) {
  case Q2_K: {
    uint q = byte_at(p + uint64_t(16u + 32u * (sub16 >> 3) + odd + l)) >> (sub16 / 2u % 4u * 2u) & 3u, s = byte_at(p + uint64_t(sub16));
    y = scale_at(p + 80ul) * float(s & 15u) * float(q);
    y = y - scale_at(p + 82ul) * float(s >> 4);
    return y;
  }
  case Q3_K: {
    uint s = (sub16 < 8u ? byte_at(p + uint64_t(96u + sub16)) & 15u : byte_at(p + uint64_t(88u + sub16)) >> 4)
             | (byte_at(p + uint64_t(104u + (sub16 & 3u))) >> (2u * (sub16 >> 2)) & 3u) << 4;
    int q = int(byte_at(p + uint64_t(32u + 32u * (sub16 >> 3) + odd + l)) >> (sub16 / 2u % 4u * 2u) & 3u) + int(byte_at(p + uint64_t(odd + l)) >> (sub16 >> 1) & 1u) * 4 - 4;
    y = scale_at(p + 108ul) * float(int(s) - 32) * float(q);
    return y;
  }
  case Q4_K: {
    uint sub = j >> 5;
    ivec2 s = k_scale(p + 4ul, sub);
    uint q = byte_at(p + uint64_t(16u + 32u * (sub >> 1) + (j & 31u))) >> (4u * (sub & 1u)) & 15u;
    y = scale_at(p) * float(s.x) * float(q);
    y = y - scale_at(p + 2ul) * float(s.y);
    return y;
  }
  case Q5_K: {
    uint sub = j >> 5;
    ivec2 s = k_scale(p + 4ul, sub);
    uint q = (byte_at(p + uint64_t(48u + 32u * (sub >> 1) + (j & 31u))) >> (4u * (sub & 1u)) & 15u) | (byte_at(p + uint64_t(16u + (j & 31u))) >> sub & 1u) << 4;
    y = scale_at(p) * float(s.x) * float(q);
    y = y - scale_at(p + 2ul) * float(s.y);
    return y;
  }
  case Q6_K: {
    uint half_of = sub16 >> 3, quarter = sub16 / 2u % 4u;
    uint low = byte_at(p + uint64_t(64u * half_of + 32u * (quarter & 1u) + odd + l)) >> (quarter / 2u * 4u) & 15u;
    uint high = byte_at(p + uint64_t(128u + 32u * half_of + odd + l)) >> (quarter * 2u) & 3u;
    y = scale_at(p + 208ul) * float(sbyte_at(p + uint64_t(192u + sub16))) * float(int(low | high << 4) - 32);
    return y;
  }
  }
  uint s = j >> 5; // TQ2_0
  return float(int(byte_at(p + uint64_t(32u * (s >> 2) + (j & 31u))) >> (s % 4u * 2u) & 3u) - 1) * scale_at(p + 64ul);
}

// Element k of a row that begins at `row`; `step` bytes from element to element, of plain formats only: blocks lie one behind the other.
float decode_at(uint64_t row, const int format, uint k, int64_t step) {
  if (format < Q4_0) return load_float(row + uint64_t(int64_t(k) * step), format);
  if (block_elements(format) == 32) return decode_simple(row + uint64_t(k >> 5) * uint64_t(block_bytes(format)), format, k & 31u);
  return decode_k(row + uint64_t(k >> 8) * uint64_t(block_bytes(format)), format, k & 255u);
}
