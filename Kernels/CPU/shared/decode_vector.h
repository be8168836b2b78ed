// Decoding of rows, and rounding of floats to float formats, in the names of lanes_*.h and blocks_*.h; decode_rest takes the other formats.
V_FN void decode_floats(int code, const uint8_t *src, float *dst, int64_t n) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) v_store(dst + i, v_load_as(code, src + i * bp_code_bytes(code)));
  if (i < n) v_store_some(BP_CODE_F32, dst + i, n - i, v_load_some(code, src + i * bp_code_bytes(code), n - i));
}

V_FN void decode_blocks(int code, const uint8_t *src, float *dst, int64_t n) {
  vtable table = v_table(code);
  for (; n > 0; n -= bp_code_block(code), src += bp_code_bytes(code)) {
    float scales[16];
    if (bp_code_block(code) == 256) v_scales(code, src, scales);
#pragma clang loop unroll(full)
    for (int u = 0; u < bp_code_block(code) / 32; u++, dst += 32) {
      vf q[32 / LANES];
      v_unit(code, src, u, table, q);
      for (int i = 0; i < 32 / LANES; i++) {
        vf scale = bp_code_block(code) == 32 ? v_scale(code, src) : v_set(scales[code == BP_CODE_Q6_K ? 2 * u + i * LANES / 16 : u]);
        vf least = !bp_code_has_minimum(code) ? v_zero() : bp_code_block(code) == 32 ? v_half(src + 2) : v_set(scales[8 + u]);
        v_store(dst + LANES * i, bp_code_has_minimum(code) ? v_fma(q[i], scale, least) : v_mul(q[i], scale));
      }
    }
  }
}

void V_NAME(bp_decode)(bp_id format, const void *src, float *dst, int64_t n) {
  switch (bp_code_of(format)) {
#define CASE(code) case code: decode_floats(code, src, dst, n); return;
  CASE(BP_CODE_F32) CASE(BP_CODE_F16) CASE(BP_CODE_BF16)
#undef CASE
#define CASE(code) case code: decode_blocks(code, src, dst, n); return;
  CASE(BP_CODE_Q4_0) CASE(BP_CODE_Q4_1) CASE(BP_CODE_Q5_0) CASE(BP_CODE_Q5_1) CASE(BP_CODE_Q8_0) CASE(BP_CODE_IQ4_NL) CASE(BP_CODE_MXFP4) CASE(BP_CODE_Q4_Z) CASE(BP_CODE_NF4)
  CASE(BP_CODE_Q4_K) CASE(BP_CODE_Q5_K) CASE(BP_CODE_Q6_K)
#undef CASE
  case BP_CODE_REST: decode_rest(format, src, dst, n); return;
  }
}

V_FN void encode_floats(int code, const float *src, uint8_t *dst, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) v_store_some(code, dst + i * bp_code_bytes(code), n - i, v_load_some(BP_CODE_F32, src + i, n - i));
}
void V_NAME(bp_encode)(bp_id format, const float *src, void *dst, int64_t n) {
  switch (bp_code_of(format)) {
  case BP_CODE_F16: encode_floats(BP_CODE_F16, src, dst, n); return;
  case BP_CODE_BF16: encode_floats(BP_CODE_BF16, src, dst, n); return;
  default: memcpy(dst, src, (size_t)n * 4);
  }
}
