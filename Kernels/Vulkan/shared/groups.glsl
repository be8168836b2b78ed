// Thirty-two neighbours of a row of weights at a time, as whole numbers in eight vectors, with a scale and a minimum for each half of them:
// an element is scale * q - minimum. Loads are as wide as a format's alignment allows, or 64 bits where WIDE says that any address will do.
//
// Vectors rather than arrays of numbers: a driver kept those in memory.

uint load4(uint64_t p) { return WIDE == 1 ? At32(p).v : half_word_at(p); }
uvec2 load8(uint64_t p) { return WIDE == 1 ? unpackUint2x32(At64(p).v) : uvec2(half_word_at(p), half_word_at(p + 4ul)); }
uvec4 bytes_of(uint word) { return uvec4(word, word >> 8, word >> 16, word >> 24) & 255u; }
vec4 signed_bytes_of(uint word) { return vec4(ivec4(bytes_of(word) << 24) >> 24); }

vec4 iq4_nl_of(uvec4 c) {
  uvec4 low = mix(uvec4(0xbfad9881u), uvec4(0xf6eaddcfu), greaterThanEqual(c, uvec4(4u))), high = mix(uvec4(0x26190d01u), uvec4(0x71594535u), greaterThanEqual(c, uvec4(12u)));
  uvec4 word = mix(low, high, greaterThanEqual(c, uvec4(8u)));
  return vec4(ivec4((word >> (8u * (c & 3u))) << 24) >> 24);
}
vec4 mxfp4_of(uvec4 c) { // doubled
  uvec4 size = c & 7u;
  vec4 x = vec4(mix((2u + (size & 1u)) << ((size >> 1) - min(size >> 1, uvec4(1u))), size, lessThan(size, uvec4(2u))));
  return mix(x, -x, greaterThanEqual(c, uvec4(8u)));
}

vec4 nf4_of(uvec4 c) { return vec4(nf4_codes[c.x], nf4_codes[c.y], nf4_codes[c.z], nf4_codes[c.w]); }

const bool HAS_MINIMUM = B == Q4_1 || B == Q5_1 || B == Q4_K || B == Q5_K;

// Group `g` of the row that begins at `row`.
void load_group(uint64_t row, uint g, out vec4 q[8], out vec2 scale, out vec2 minimum) {
  minimum = vec2(0.0);
  if (B == Q4_K || B == Q5_K) {
    uint64_t p = row + uint64_t(g >> 3) * uint64_t(block_bytes(B)), at = p + uint64_t((B == Q4_K ? 16u : 48u) + 32u * (g >> 1 & 3u));
    uint sub = g & 7u, shift = 4u * (sub & 1u);
    if (WIDE == 1) { // both factors and the twelve bytes of scales and minimums as four words
      uvec2 first = load8(p), second = load8(p + 8ul);
      uint bits = 8u * (sub & 3u), low = first.y >> bits, next = second.x >> bits, shared_bits = second.y >> bits;
      uvec2 s = sub < 4u ? uvec2(low & 63u, next & 63u) : uvec2((shared_bits & 15u) | (low >> 2 & 48u), (shared_bits >> 4 & 15u) | (next >> 2 & 48u));
      scale = vec2(from_f16(first.x & 0xffffu) * float(s.x));
      minimum = vec2(from_f16(first.x >> 16) * float(s.y));
    } else {
      ivec2 s = k_scale(p + 4ul, sub);
      scale = vec2(scale_at(p) * float(s.x));
      minimum = vec2(scale_at(p + 2ul) * float(s.y));
    }
    [[unroll]] for (uint i = 0u; i < 8u; i += 2u) {
      uvec2 w = load8(at + uint64_t(4u * i)) >> shift, h = B == Q5_K ? load8(p + uint64_t(16u + 4u * i)) >> sub : uvec2(0u);
      q[i] = vec4((bytes_of(w.x) & 15u) | (bytes_of(h.x) & 1u) << 4);
      q[i + 1u] = vec4((bytes_of(w.y) & 15u) | (bytes_of(h.y) & 1u) << 4);
    }
  } else if (B == Q6_K) {
    uint64_t p = row + uint64_t(g >> 3) * 210ul;
    uint sub = g & 7u, half_of = sub >> 2, quarter = sub & 3u;
    float d = scale_at(p + 208ul);
    int both = int(half_bits_at(p + uint64_t(192u + 2u * sub)));
    scale = d * vec2(ivec2(both << 24, both << 16) >> 24);
    uint64_t low = p + uint64_t(64u * half_of + 32u * (quarter & 1u)), high = p + uint64_t(128u + 32u * half_of);
    [[unroll]] for (uint i = 0u; i < 8u; i += 2u) {
      uvec2 w = load8(low + uint64_t(4u * i)) >> (4u * (quarter >> 1)), h = load8(high + uint64_t(4u * i)) >> (2u * quarter);
      q[i] = vec4((bytes_of(w.x) & 15u) | (bytes_of(h.x) & 3u) << 4) - 32.0;
      q[i + 1u] = vec4((bytes_of(w.y) & 15u) | (bytes_of(h.y) & 3u) << 4) - 32.0;
    }
  } else if (B == Q8_0) {
    uint64_t p = row + uint64_t(g) * 34ul;
    scale = vec2(scale_at(p));
    [[unroll]] for (uint i = 0u; i < 8u; i += 2u) {
      uvec2 w = load8(p + uint64_t(2u + 4u * i));
      q[i] = signed_bytes_of(w.x);
      q[i + 1u] = signed_bytes_of(w.y);
    }
  } else if (B == Q2_K || B == Q3_K || B == TQ2_0) { // seldom used: element by element, in a loop that compiles quickly
    uint64_t p = row + uint64_t(g >> 3) * uint64_t(block_bytes(B));
    uint first = 32u * (g & 7u);
    scale = vec2(1.0);
    [[dont_unroll]] for (uint i = 0u; i < 8u; i++) {
      uint j = first + 4u * i;
      q[i] = vec4(decode_k(p, B, j), decode_k(p, B, j + 1u), decode_k(p, B, j + 2u), decode_k(p, B, j + 3u));
    }
  } else { // low and high halves of sixteen bytes
    uint64_t p = row + uint64_t(g) * uint64_t(block_bytes(B));
    const uint head = B == Q5_1 ? 8u : B == Q5_0 || B == Q4_Z ? 6u : B == Q4_1 || B == NF4 ? 4u : B == MXFP4 ? 1u : 2u;
    uvec4 w;
    if (B == MXFP4 && WIDE == 0) {
      [[unroll]] for (uint i = 0u; i < 4u; i++)
        w[i] = byte_at(p + uint64_t(1u + 4u * i)) | byte_at(p + uint64_t(2u + 4u * i)) << 8 | byte_at(p + uint64_t(3u + 4u * i)) << 16 | byte_at(p + uint64_t(4u + 4u * i)) << 24;
    } else {
      w = uvec4(load8(p + uint64_t(head)), load8(p + uint64_t(head + 8u)));
    }
    if (B == MXFP4) {
      uint e = byte_at(p);
      scale = vec2(uintBitsToFloat(e < 2u ? 0x00200000u << e : (e - 1u) << 23));
    } else if (B == Q4_Z || B == NF4) {
      scale = vec2(uintBitsToFloat(half_word_at(p)));
    } else {
      scale = vec2(scale_at(p));
    }
    if (B == Q4_1 || B == Q5_1) minimum = vec2(-scale_at(p + 2ul));
    uint fifth = B == Q5_0 || B == Q5_1 ? load4(p + uint64_t(head - 4u)) : 0u;
    [[unroll]] for (uint i = 0u; i < 4u; i++) {
      uvec4 low = bytes_of(w[i]) & 15u, high = bytes_of(w[i]) >> 4;
      if (B == Q5_0 || B == Q5_1) {
        uvec4 bits = uvec4(0u, 1u, 2u, 3u) + 4u * i;
        low |= (uvec4(fifth) >> bits & 1u) << 4;
        high |= (uvec4(fifth) >> (bits + 16u) & 1u) << 4;
      }
      if (B == IQ4_NL) {
        q[i] = iq4_nl_of(low);
        q[i + 4u] = iq4_nl_of(high);
      } else if (B == MXFP4) {
        q[i] = mxfp4_of(low);
        q[i + 4u] = mxfp4_of(high);
      } else if (B == NF4) {
        q[i] = nf4_of(low);
        q[i + 4u] = nf4_of(high);
      } else {
        const float offset = B == Q4_0 ? 8.0 : B == Q5_0 ? 16.0 : B == Q4_Z ? float(half_bits_at(p + 4ul)) : 0.0;
        q[i] = vec4(low) - offset;
        q[i + 4u] = vec4(high) - offset;
      }
    }
  }
}

layout(buffer_reference, std430, buffer_reference_align = 4) buffer AtVector { vec4 v; };

// Four elements of a row of plain format from its element k on.
vec4 load_four(uint64_t row, const int format, uint k) {
  uint64_t p = row + uint64_t(k) * uint64_t(block_bytes(format));
  if (format == F32) return AtVector(p).v;
  uvec4 w = uvec4(half_bits_at(p), half_bits_at(p + 2ul), half_bits_at(p + 4ul), half_bits_at(p + 6ul));
  return format == F16 ? vec4(from_f16(w.x), from_f16(w.y), from_f16(w.z), from_f16(w.w)) : uintBitsToFloat(w << 16);
}
