// What follows the sums, LANES columns at a time.
#ifndef BACKPLANE_CPU_FINISH_H
#define BACKPLANE_CPU_FINISH_H

V_FN vf activate(uint32_t activation, vf x) {
  switch (activation) {
  case BP_ACT_RELU: return v_max(v_zero(), x); // x comes through when it is NaN
  case BP_ACT_SILU: return v_mul(x, v_sigmoid(x));
  case BP_ACT_GELU_TANH: {
    vf u = v_fma(v_mul(v_mul(x, x), x), v_set(0.044715f), x);
    return v_mul(x, v_sigmoid(v_mul(u, v_set(1.5957691216057308f))));
  }
  case BP_ACT_GELU_ERF: {
    vf half = v_mul(x, v_set(0.5f));
    return v_fma(half, v_erf(v_mul(x, v_set(0.70710678118654752f))), half);
  }
  default: return x;
  }
}

// 1 when rows of y and residual, and the bias, are dense.
static inline int finish_is_plain(const bp_matmul *p) {
  return p->y_step == p->y.block_bytes && (!p->bias || p->bias->stride[0] == 4) && (!p->residual || p->r_step == p->residual->block_bytes);
}

V_FN vf load_of(bp_id format, const void *p, int64_t n) {
  switch (bp_code_of(format)) {
  case BP_CODE_F16: return v_load_some(BP_CODE_F16, p, n);
  case BP_CODE_BF16: return v_load_some(BP_CODE_BF16, p, n);
  default: return v_load_some(BP_CODE_F32, p, n);
  }
}

// Finishes sums of row m, columns n … n + count (LANES of them at most). `up` is the second factor of matmul_gated; plain is
// finish_is_plain.
V_FN void finish(const bp_matmul *p, const bp_matmul_batch *at, int plain, int64_t m, int64_t n, int64_t count, vf sums, vf up) {
  if (!plain) {
    float x[LANES], u[LANES];
    v_store(x, sums);
    v_store(u, up);
    bp_matmul_finish(p, at, m, n, count < LANES ? count : LANES, x, p->sources == 2 ? u : 0);
    return;
  }
  if (p->bias) sums = v_add(sums, v_load_some(BP_CODE_F32, (const float *)p->bias->data + n, count));
  if (p->activation) sums = activate(p->activation, sums);
  if (p->sources == 2) sums = v_mul(sums, up);
  if (p->residual) sums = v_add(sums, load_of(p->residual->dtype, at->residual + m * p->r_row + n * p->r_step, count));
  char *y = at->y + m * p->y_row + n * p->y_step;
  switch (bp_code_of(p->y.dtype)) {
  case BP_CODE_F16: v_store_some(BP_CODE_F16, y, count, sums); return;
  case BP_CODE_BF16: v_store_some(BP_CODE_BF16, y, count, sums); return;
  default: v_store_some(BP_CODE_F32, y, count, sums);
  }
}
#endif
