// Weights as the matrix unit sees them: integer codes, and a scale (with a minimum where the format has one) for each group.
#include "weights.h"
#include "numbers.h"

static const struct { uint32_t bytes, elements, group; } formats[] = {
  [NPU_Q4_0] = {18, 32, 32}, [NPU_Q4_1] = {20, 32, 32}, [NPU_Q5_0] = {22, 32, 32}, [NPU_Q5_1] = {24, 32, 32},
  [NPU_Q8_0] = {34, 32, 32}, [NPU_Q4_K] = {144, 256, 32}, [NPU_Q5_K] = {176, 256, 32}, [NPU_Q6_K] = {210, 256, 16},
};

uint32_t npu_block_bytes(uint32_t format) { return formats[format].bytes; }
uint32_t npu_block_elements(uint32_t format) { return formats[format].elements; }
uint32_t npu_group_elements(uint32_t format) { return formats[format].group; }

// The 6-bit scale and minimum of group g: the first four in the low bits of bytes 0-7, the others split over bytes 8-11 and high bits.
static void scales_6bit(const uint8_t *s, int g, int *scale, int *minimum) {
  if (g < 4) {
    *scale = s[g] & 63;
    *minimum = s[g + 4] & 63;
  } else {
    *scale = (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
    *minimum = s[g + 4] >> 4 | (s[g] >> 6) << 4;
  }
}

void npu_codes(uint32_t format, const void *block, int8_t *codes, float *scale, float *minimum) {
  const uint8_t *p = block;
  minimum[0] = 0;
  switch (format) {
  case NPU_Q4_0: case NPU_Q4_1: {
    int zero = format == NPU_Q4_0 ? 8 : 0;
    scale[0] = npu_read_f16(p);
    if (!zero) minimum[0] = -npu_read_f16(p + 2);
    const uint8_t *q = p + (zero ? 2 : 4);
    for (int i = 0; i < 16; i++) {
      codes[i] = (int8_t)((q[i] & 15) - zero);
      codes[i + 16] = (int8_t)((q[i] >> 4) - zero);
    }
    return;
  }
  case NPU_Q5_0: case NPU_Q5_1: {
    int zero = format == NPU_Q5_0 ? 16 : 0;
    scale[0] = npu_read_f16(p);
    if (!zero) minimum[0] = -npu_read_f16(p + 2);
    p += zero ? 2 : 4;
    uint32_t high;
    memcpy(&high, p, 4);
    for (int i = 0; i < 16; i++) {
      codes[i] = (int8_t)(((p[4 + i] & 15) | (high >> i & 1) << 4) - zero);
      codes[i + 16] = (int8_t)((p[4 + i] >> 4 | (high >> (i + 16) & 1) << 4) - zero);
    }
    return;
  }
  case NPU_Q8_0:
    scale[0] = npu_read_f16(p);
    memcpy(codes, p + 2, 32);
    return;
  case NPU_Q4_K: case NPU_Q5_K: {
    float d = npu_read_f16(p), m = npu_read_f16(p + 2);
    const uint8_t *high = p + 16, *q = p + (format == NPU_Q4_K ? 16 : 48);
    for (int g = 0; g < 8; g++) {
      int s, least;
      scales_6bit(p + 4, g, &s, &least);
      scale[g] = d * (float)s;
      minimum[g] = m * (float)least;
      for (int i = 0; i < 32; i++) {
        int code = g & 1 ? q[g / 2 * 32 + i] >> 4 : q[g / 2 * 32 + i] & 15;
        if (format == NPU_Q5_K) code |= (high[i] >> g & 1) << 4;
        codes[g * 32 + i] = (int8_t)code;
      }
    }
    return;
  }
  case NPU_Q6_K: {
    float d = npu_read_f16(p + 208);
    for (int g = 0; g < 16; g++) {
      scale[g] = d * (float)(int8_t)p[192 + g];
      minimum[g] = 0;
    }
    // Halves of 128: four runs of 32, low 4 bits in two rows of 64 bytes, high 2 bits side by side.
    for (int half = 0; half < 2; half++) {
      const uint8_t *low = p + half * 64, *high = p + 128 + half * 32;
      for (int run = 0; run < 4; run++) {
        for (int i = 0; i < 32; i++) {
          int nibble = run < 2 ? low[(run & 1) * 32 + i] & 15 : low[(run & 1) * 32 + i] >> 4;
          codes[half * 128 + run * 32 + i] = (int8_t)((nibble | (high[i] >> (2 * run) & 3) << 4) - 32);
        }
      }
    }
    return;
  }
  }
}
