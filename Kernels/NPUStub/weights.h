#ifndef BACKPLANE_NPU_WEIGHTS_H
#define BACKPLANE_NPU_WEIGHTS_H
#include "npu_engine.h"

#define NPU_MOST_ELEMENTS 256
#define NPU_MOST_GROUPS 16

// One block as codes, and for each of its groups: weight = scale · code - minimum.
void npu_codes(uint32_t format, const void *block, int8_t *codes, float *scale, float *minimum);

void npu_matmul_i8(const npu_command *c, float *out, const int8_t *codes, const float *scales, const char *weights);
void npu_matmul(const npu_command *c, float *out, const float *left, const float *right);
#endif
