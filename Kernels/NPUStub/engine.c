// Runs commands: checks that they stay inside the scratchpad and their tensors, moves what DMA moves.
#include "npu_engine.h"
#include <string.h>
#include "numbers.h"
#include "vector.h"
#include "weights.h"

uint64_t npu_checksum(const void *bytes, uint64_t count) {
  uint64_t hash = 0xcbf29ce484222325u;
  const unsigned char *p = bytes;
  for (; count >= 8; count -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  for (; count > 0; count--) hash = (hash ^ *p++) * 0x100000001b3u;
  return hash;
}

static uint32_t width(const npu_view *v) { return v->format == NPU_RAW ? v->unit_bytes : 4; }

// Byte offset of a row; the last dimension is left out. Negative when the view has no such row.
static int64_t row_offset(const npu_view *v, int64_t row) {
  int64_t offset = v->offset;
  for (int d = (int)v->rank - 2; d >= 0; d--) {
    if (v->extent[d] <= 0) return -1;
    offset += row % v->extent[d] * v->stride[d];
    row /= v->extent[d];
  }
  return row == 0 ? offset : -1;
}

static void load_row(const npu_view *v, char *to, const char *from, uint32_t count) {
  int64_t step = v->stride[v->rank - 1];
  uint32_t unit = v->unit_bytes;
  float *floats = (float *)to;
  switch (v->format) {
  case NPU_F16: for (uint32_t i = 0; i < count; i++) floats[i] = npu_read_f16(from + i * step); return;
  case NPU_BF16: for (uint32_t i = 0; i < count; i++) floats[i] = npu_read_bf16(from + i * step); return;
  default:
    if (step == unit) { memcpy(to, from, (uint64_t)count * unit); return; }
    for (uint32_t i = 0; i < count; i++) memcpy(to + (uint64_t)i * unit, from + i * step, unit);
  }
}

static void store_row(const npu_view *v, char *to, const char *from, uint32_t count) {
  int64_t step = v->stride[v->rank - 1];
  uint32_t unit = v->unit_bytes;
  const float *floats = (const float *)from;
  for (uint32_t i = 0; i < count; i++) {
    uint16_t half;
    switch (v->format) {
    case NPU_F16: half = npu_f16(floats[i]); memcpy(to + i * step, &half, 2); break;
    case NPU_BF16: half = npu_bf16(floats[i]); memcpy(to + i * step, &half, 2); break;
    default:
      if (step == unit) { memcpy(to, from, (uint64_t)count * unit); return; }
      memcpy(to + i * step, from + (uint64_t)i * unit, unit);
    }
  }
}

static int transfer(const npu_command *c, const npu_view *v, npu_place place, char *pad) {
  uint64_t row_bytes = (uint64_t)c->cols * width(v);
  int64_t step = v->stride[v->rank - 1];
  for (uint32_t r = 0; r < c->rows; r++) {
    char *at = pad + c->a + r * row_bytes;
    int64_t row = c->row + r;
    if (c->operation == NPU_GATHER) {
      const char *index = pad + c->b + (uint64_t)r * c->n0;
      if (c->n0 == 8) memcpy(&row, index, 8);
      else { int32_t narrow; memcpy(&narrow, index, 4); row = narrow; }
      if (row < 0 || row >= v->extent[0]) { memset(at, 0, row_bytes); continue; }
    }
    int64_t offset = row_offset(v, row);
    if (offset < 0 || c->col < 0 || c->cols == 0) return NPU_OUTSIDE_TENSOR;
    offset += c->col * step;
    if (offset < 0 || offset + (c->cols - 1) * step + v->unit_bytes > place.bytes) return NPU_OUTSIDE_TENSOR;
    if (c->operation == NPU_STORE) store_row(v, place.data + offset, at, c->cols);
    else load_row(v, at, place.data + offset, c->cols);
  }
  return NPU_FINE;
}

int npu_run_command(const npu_command *c, const npu_view *views, uint32_t n_views, const npu_place *places, uint32_t n_places,
                    char *pad, uint32_t pad_bytes) {
  uint64_t tile = (uint64_t)c->rows * c->cols;
#define INSIDE(offset, count) do { if ((uint64_t)(offset) + (uint64_t)(count) > pad_bytes) return NPU_OUTSIDE_SCRATCHPAD; } while (0)
#define FLOATS(offset) ((float *)(pad + (offset)))
  switch (c->operation) {
  case NPU_LOAD: case NPU_STORE: case NPU_GATHER: {
    if (c->view >= n_views || views[c->view].tensor >= n_places) return NPU_UNKNOWN_COMMAND;
    const npu_view *v = views + c->view;
    INSIDE(c->a, tile * width(v));
    if (c->operation == NPU_GATHER) INSIDE(c->b, (uint64_t)c->rows * c->n0);
    return transfer(c, v, places[v->tensor], pad);
  }
  case NPU_UNARY:
    INSIDE(c->a, 4ull * c->cols); INSIDE(c->b, 4ull * c->cols);
    npu_unary(c, FLOATS(c->a), FLOATS(c->b));
    return NPU_FINE;
  case NPU_BINARY:
    INSIDE(c->a, 4ull * c->cols); INSIDE(c->b, 4ull * c->cols);
    INSIDE(c->c, 4ull * (c->flags & NPU_ROW_VECTOR ? c->n0 : c->cols));
    npu_binary(c, FLOATS(c->a), FLOATS(c->b), FLOATS(c->c));
    return NPU_FINE;
  case NPU_DECODE: {
    if (c->function > NPU_Q6_K) return NPU_UNKNOWN_COMMAND;
    uint32_t elements = npu_block_elements(c->function), bytes = npu_block_bytes(c->function), group = npu_group_elements(c->function);
    INSIDE(c->a, 4ull * c->cols); INSIDE(c->b, (uint64_t)c->cols / elements * bytes);
    int8_t codes[NPU_MOST_ELEMENTS];
    float scale[NPU_MOST_GROUPS], minimum[NPU_MOST_GROUPS];
    for (uint32_t b = 0; b < c->cols / elements; b++) {
      npu_codes(c->function, pad + c->b + (uint64_t)b * bytes, codes, scale, minimum);
      for (uint32_t i = 0; i < elements; i++) FLOATS(c->a)[b * elements + i] = scale[i / group] * (float)codes[i] - minimum[i / group];
    }
    return NPU_FINE;
  }
  case NPU_ROUND_F16:
    INSIDE(c->a, 4ull * c->cols);
    for (uint32_t i = 0; i < c->cols; i++) { uint16_t h = npu_f16(FLOATS(c->a)[i]); FLOATS(c->a)[i] = npu_read_f16(&h); }
    return NPU_FINE;
  case NPU_QUANTISE:
    if (c->n0 == 0) return NPU_UNKNOWN_COMMAND;
    INSIDE(c->a, tile); INSIDE(c->b, 4 * tile); INSIDE(c->c, 4ull * c->rows * ((c->cols + c->n0 - 1) / c->n0));
    npu_quantise(c, (int8_t *)(pad + c->a), FLOATS(c->c), FLOATS(c->b));
    return NPU_FINE;
  case NPU_MATMUL_I8:
    if (c->function > NPU_Q6_K || c->n0 == 0) return NPU_UNKNOWN_COMMAND;
    INSIDE(c->a, 4ull * c->rows * c->n1); INSIDE(c->b, tile); INSIDE(c->c, 4ull * c->rows * ((c->cols + c->n0 - 1) / c->n0));
    INSIDE(c->d, (uint64_t)c->cols / npu_block_elements(c->function) * npu_block_bytes(c->function) * c->n1);
    npu_matmul_i8(c, FLOATS(c->a), (const int8_t *)(pad + c->b), FLOATS(c->c), pad + c->d);
    return NPU_FINE;
  case NPU_MATMUL:
    INSIDE(c->a, 4ull * c->rows * c->n1); INSIDE(c->b, 4 * tile); INSIDE(c->c, 4ull * c->cols * c->n1);
    npu_matmul(c, FLOATS(c->a), FLOATS(c->b), FLOATS(c->c));
    return NPU_FINE;
  case NPU_SOFTMAX:
    INSIDE(c->a, 4 * tile);
    if (c->flags & NPU_HAS_B) INSIDE(c->b, 4 * tile);
    npu_softmax(c, FLOATS(c->a), c->flags & NPU_HAS_B ? FLOATS(c->b) : 0);
    return NPU_FINE;
  case NPU_VISIBLE:
    INSIDE(c->a, 4 * tile);
    if (c->flags & NPU_HAS_B) INSIDE(c->b, 4ull * c->rows);
    npu_visible_softmax(c, FLOATS(c->a), c->flags & NPU_HAS_B ? FLOATS(c->b) : 0);
    return NPU_FINE;
  case NPU_RMS_NORM: case NPU_LAYER_NORM:
    INSIDE(c->a, 4 * tile); INSIDE(c->b, 4 * tile);
    if (c->flags & NPU_HAS_C) INSIDE(c->c, 4ull * c->cols);
    if (c->flags & NPU_HAS_D) INSIDE(c->d, 4ull * c->cols);
    npu_norm(c, FLOATS(c->a), FLOATS(c->b), c->flags & NPU_HAS_C ? FLOATS(c->c) : 0, c->flags & NPU_HAS_D ? FLOATS(c->d) : 0);
    return NPU_FINE;
  case NPU_ROPE:
    if (c->n2 == 0 || c->n3 == 0 || 2ull * c->n1 > c->cols) return NPU_UNKNOWN_COMMAND;
    INSIDE(c->a, 4 * tile); INSIDE(c->b, 4 * tile); INSIDE(c->c, (uint64_t)c->n3 * c->n0); INSIDE(c->d, 4ull * c->n1);
    npu_rope(c, FLOATS(c->a), FLOATS(c->b), pad + c->c, FLOATS(c->d));
    return NPU_FINE;
  default: return NPU_UNKNOWN_COMMAND;
  }
}
