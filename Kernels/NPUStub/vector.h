#ifndef BACKPLANE_NPU_VECTOR_H
#define BACKPLANE_NPU_VECTOR_H
#include "npu_engine.h"

void npu_unary(const npu_command *c, float *to, const float *from);
void npu_binary(const npu_command *c, float *to, const float *x, const float *y);
void npu_softmax(const npu_command *c, float *rows, const float *mask);
void npu_visible_softmax(const npu_command *c, float *scores, float *log_sums);
void npu_norm(const npu_command *c, float *to, const float *from, const float *weight, const float *bias);
void npu_rope(const npu_command *c, float *to, const float *from, const char *positions, const float *frequencies);
void npu_quantise(const npu_command *c, int8_t *codes, float *scales, const float *from);
#endif
