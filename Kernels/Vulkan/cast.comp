// cast between plain formats. Float to float rounds once; float to integer truncates and saturates, NaN gives 0; a narrower integer saturates; to
// bool is 1 where x is not 0.
#version 460
#include "shared/values.glsl"
#include "shared/walk.glsl"

layout(constant_id = 3) const int TO = F32;
layout(constant_id = 4) const int FROM = F32;

ARGUMENTS {
  uint64_t y, x;
  int64_t n;
  int extents[8];
  int64_t y_steps[8], x_steps[8];
};

int64_t truncated(float f) {
  if (is_nan(f)) return 0l;
  if (f >= 9223372036854775808.0) return 9223372036854775807l;
  if (f <= -9223372036854775808.0) return -9223372036854775807l - 1l;
  uint bits = floatBitsToUint(f);
  int e = int((bits >> 23) & 255u) - 150;
  if (e < -23) return 0l;
  int64_t m = int64_t((bits & 0x007fffffu) | 0x00800000u);
  m = e >= 0 ? m << e : m >> -e;
  return (bits >> 31) != 0u ? -m : m;
}
// x rounded to 24 bits; `sticky`: cut to odd, so that 16 bits can be rounded from it without making a tie.
float from_whole(int64_t x, bool sticky) {
  bool below = is_negative(x);
  uint64_t magnitude = below ? 0ul - uint64_t(x) : uint64_t(x);
  if (magnitude == 0ul) return 0.0;
  int shift = 0;
  uint64_t lost = 0ul;
  while ((magnitude >> 24) != 0ul) {
    lost |= (magnitude & 1ul) << shift;
    magnitude >>= 1;
    shift++;
  }
  if (sticky) magnitude |= lost != 0ul ? 1ul : 0ul;
  else if (shift > 0) {
    uint64_t tie = 1ul << (shift - 1);
    if (lost > tie || lost == tie && (magnitude & 1ul) != 0ul) magnitude++;
  }
  float f = float(uint(magnitude)) * uintBitsToFloat(uint(shift + 127) << 23);
  return below ? -f : f;
}

void main() {
  for (uint i = item(); i < uint(n); i += items()) {
    int64_t from, to;
    WALK(extents, x_steps, i, from)
    WALK(extents, y_steps, i, to)
    uint64_t p = x + from, q = y + to;
    if (is_float(FROM)) {
      float f = load_float(p, FROM);
      if (is_float(TO)) store_float(q, TO, f);
      else if (TO == BOOL) At8(q).v = uint8_t((floatBitsToUint(f) & 0x7fffffffu) != 0u ? 1 : 0);
      else store_whole(q, TO, truncated(f));
    } else {
      int64_t v = load_whole(p, FROM);
      if (is_float(TO)) store_float(q, TO, from_whole(v, TO != F32));
      else store_whole(q, TO, v);
    }
  }
}
