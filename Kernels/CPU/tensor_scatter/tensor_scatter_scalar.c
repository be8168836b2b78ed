// tensor_scatter, portable C: caches of f32 f16 bf16 q8_0 q4_0, updates of f32 f16 bf16, any stride. Quantised as ggml's
// reference does, in f32.
#include "../shared/quantise.h"
#include "tensor_scatter.h"

static void quantise_q4_0(char *to, const float *x) {
  float largest = 0, extreme = 0;
  for (int i = 0; i < 32; i++) if (fabsf(x[i]) > largest) largest = fabsf(x[i]), extreme = x[i];
  float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
  uint16_t half = bp_to_f16(d);
  memcpy(to, &half, 2);
  for (int i = 0; i < 16; i++) {
    int low = bp_to_i8(x[i] * inverse + 8.5f), high = bp_to_i8(x[16 + i] * inverse + 8.5f);
    to[2 + i] = (char)((low > 15 ? 15 : low) | (high > 15 ? 15 : high) << 4);
  }
}

typedef struct convert_context { bp_id to, from; } convert_context;
static void convert_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  const convert_context *k = context;
  for (uint64_t i = 0; i < n; i++) bp_store_one(p[0] + (int64_t)i * step[0], k->to, bp_load_one(p[1] + (int64_t)i * step[1], k->from));
}

static void write_row(const bp_cpu_view *y, const bp_cpu_view *x) {
  if (y->block_elements == 1) {
    convert_context k = {y->dtype, x->dtype};
    bp_walk w = bp_walk_over(y->extent, y->rank);
    bp_walk_add(&w, y);
    bp_walk_add(&w, x);
    bp_walk_merge(&w);
    bp_walk_run(&w, 0, bp_elements(y), convert_run, &k);
    return;
  }
  bp_row_walk rows_y = bp_row_walk_of(y, y), rows_x = bp_row_walk_of(y, x);
  uint64_t rows = bp_rows(y);
  float values[32];
  for (uint64_t r = 0; r < rows; r++) {
    char *to = bp_row(&rows_y, r);
    const char *from = bp_row(&rows_x, r);
    for (int64_t b = 0; b < bp_last(y) / 32; b++) {
      bp_load_run(values, from + 32 * b * bp_last_stride(x), bp_last_stride(x), 32, x->dtype);
      (y->dtype == BP_FORMAT_Q8_0 ? bp_quantise_q8_0 : quantise_q4_0)(to + b * bp_last_stride(y), values);
    }
  }
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker, scatter_run(c, phase, begin, end, write_row);
}

const bp_cpu_kernel bp_cpu_tensor_scatter_scalar = {"tensor_scatter", "tensor_scatter_scalar", 0, 0, 0, 0, scatter_supports, scatter_plan, run};
