// tensor_scatter of f32 updates into an f16 cache with a register's width. Included once an isa.
#include "tensor_scatter.h"
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!scatter_supports(c, why)) return 0;
  if (c->in[0].dtype != BP_FORMAT_F16) return bp_refuse(why, BP_REASON_DTYPE, 0, 0, 0);
  return c->in[1].dtype == BP_FORMAT_F32 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 1, 0, 0);
}
static void convert_run(char *const *p, const int64_t *step, uint64_t n, const void *context) {
  (void)context;
  uint64_t i = 0;
  if (step[0] == 2 && step[1] == 4) {
    for (; i + LANES <= n; i += LANES) vf_store_f16((uint16_t *)p[0] + i, vf_load((const float *)p[1] + i));
    if (i < n) vf_store_f16_some((uint16_t *)p[0] + i, vf_load_some((const float *)p[1] + i, (int64_t)(n - i)), (int64_t)(n - i));
    return;
  }
  for (; i < n; i++) vf_store_f16_some((uint16_t *)(p[0] + (int64_t)i * step[0]), vf_of(*(const float *)(p[1] + (int64_t)i * step[1])), 1);
}
static void write_row(const bp_cpu_view *y, const bp_cpu_view *x) {
  bp_walk w = bp_walk_over(y->extent, y->rank);
  bp_walk_add(&w, y);
  bp_walk_add(&w, x);
  bp_walk_merge(&w);
  bp_walk_run(&w, 0, bp_elements(y), convert_run, 0);
}
static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker, scatter_run(c, phase, begin, end, write_row);
}
#pragma clang attribute pop

const bp_cpu_kernel VARIANT(bp_cpu_tensor_scatter_f16_f32) = {"tensor_scatter", VARIANT_NAME("tensor_scatter_f16_f32"), VARIANT_NEEDS, 0, 0, 0, supports, scatter_plan, run};
