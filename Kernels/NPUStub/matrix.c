// The matrix unit: int8 with 32-bit sums inside a group, f32 sums across groups; and f32 for what is not quantised.
#include <math.h>
#include "weights.h"

#if defined(__x86_64__) && defined(__clang__)
#define NPU_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define NPU_CLONES
#endif

// Σ code · code over a group, and Σ of the first ones.
NPU_CLONES
static void dot_groups(const int8_t *x, const int8_t *w, int groups, int group, int32_t *dots, int32_t *sums) {
  for (int g = 0; g < groups; g++) {
    int32_t dot = 0, sum = 0;
    if (group == 32) {
      for (int i = 0; i < 32; i++) { dot += x[g * 32 + i] * w[g * 32 + i]; sum += x[g * 32 + i]; }
    } else {
      for (int i = 0; i < 16; i++) { dot += x[g * 16 + i] * w[g * 16 + i]; sum += x[g * 16 + i]; }
    }
    dots[g] = dot;
    sums[g] = sum;
  }
}

void npu_matmul_i8(const npu_command *c, float *out, const int8_t *codes, const float *scales, const char *weights) {
  uint32_t elements = npu_block_elements(c->function), bytes = npu_block_bytes(c->function), group = npu_group_elements(c->function);
  uint32_t blocks = c->cols / elements, groups = elements / group, n = c->n1, steps = (c->cols + c->n0 - 1) / c->n0;
  int has_minimum = c->function == NPU_Q4_1 || c->function == NPU_Q5_1 || c->function == NPU_Q4_K || c->function == NPU_Q5_K;
  int8_t w[NPU_MOST_ELEMENTS];
  float scale[NPU_MOST_GROUPS], minimum[NPU_MOST_GROUPS];
  int32_t dots[NPU_MOST_GROUPS], sums[NPU_MOST_GROUPS];
  for (uint32_t j = 0; j < n; j++) {
    for (uint32_t i = 0; i < c->rows; i++) out[(uint64_t)i * n + j] = 0;
    for (uint32_t b = 0; b < blocks; b++) {
      npu_codes(c->function, weights + ((uint64_t)j * blocks + b) * bytes, w, scale, minimum);
      for (uint32_t i = 0; i < c->rows; i++) {
        dot_groups(codes + (uint64_t)i * c->cols + b * elements, w, (int)groups, (int)group, dots, sums);
        float sum = 0;
        for (uint32_t g = 0; g < groups; g++) {
          float step = scales[(uint64_t)i * steps + (b * elements + g * group) / c->n0];
          float part = scale[g] * (float)dots[g];
          if (has_minimum) part -= minimum[g] * (float)sums[g];
          sum += step * part;
        }
        out[(uint64_t)i * n + j] += sum;
      }
    }
  }
}

NPU_CLONES
void npu_matmul(const npu_command *c, float *out, const float *left, const float *right) {
  uint64_t n = c->n1, k = c->cols;
  for (uint64_t i = 0; i < c->rows; i++) {
    const float *x = left + i * k;
    if (c->flags & NPU_TRANSPOSED) {
      for (uint64_t j = 0; j < n; j++) out[i * n + j] = 0;
      for (uint64_t l = 0; l < k; l++) {
        if (x[l] == 0 && c->flags & NPU_SKIP_ZERO) continue;
        for (uint64_t j = 0; j < n; j++) out[i * n + j] += x[l] * right[l * n + j];
      }
      continue;
    }
    for (uint64_t j = 0; j < n; j++) {
      const float *w = right + j * k;
      float lane[8] = {0}, sum = 0;
      uint64_t l = 0;
      for (; l + 8 <= k; l += 8) for (int e = 0; e < 8; e++) lane[e] += x[l + e] * w[l + e];
      for (int e = 0; e < 8; e++) sum += lane[e];
      for (; l < k; l++) sum += x[l] * w[l];
      out[i * n + j] = sum;
    }
  }
}
