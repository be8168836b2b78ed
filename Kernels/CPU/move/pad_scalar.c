// pad with a constant: phase 0 fills y, phase 1 copies x into it. Plain formats.
#include "move.h"

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!bp_same_format(c, why)) return 0;
  if (c->in[0].block_elements > 1) return bp_refuse(why, BP_REASON_DTYPE, 0, 1, c->in[0].block_elements);
  for (uint32_t list = BP_PAD_BEFORE; list <= BP_PAD_AFTER; list++) {
    uint32_t count;
    const int64_t *pads = bp_attr_ints(c, list, &count);
    if (count != c->in[0].rank) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, c->in[0].rank, count);
    for (uint32_t i = 0; i < count; i++) if (pads[i] < 0) return bp_refuse(why, BP_REASON_ATTRIBUTE, 0, 0, pads[i]);
  }
  return 1;
}
static void plan(const bp_cpu_call *c, bp_cpu_plan *p) {
  uint64_t chunk = 65536 / c->out[0].block_bytes;
  *p = (bp_cpu_plan){.phases = 2, .items = {bp_elements(&c->out[0]), bp_elements(&c->in[0])}, .grain = {chunk, chunk}};
}

// The bytes of `value` in `format`; integers are truncated and saturated.
static void encode(char *to, bp_id format, double value) {
  int64_t whole = value != value ? 0 : value >= 9223372036854775808.0 ? INT64_MAX : value <= -9223372036854775808.0 ? INT64_MIN : (int64_t)value;
  int32_t i32 = (int32_t)(whole > INT32_MAX ? INT32_MAX : whole < INT32_MIN ? INT32_MIN : whole);
  int16_t i16 = (int16_t)(i32 > INT16_MAX ? INT16_MAX : i32 < INT16_MIN ? INT16_MIN : i32);
  switch (format) {
  case BP_FORMAT_F64: memcpy(to, &value, 8); return;
  case BP_FORMAT_I64: memcpy(to, &whole, 8); return;
  case BP_FORMAT_I32: memcpy(to, &i32, 4); return;
  case BP_FORMAT_I16: memcpy(to, &i16, 2); return;
  case BP_FORMAT_I8: *(int8_t *)to = (int8_t)(i16 > INT8_MAX ? INT8_MAX : i16 < INT8_MIN ? INT8_MIN : i16); return;
  case BP_FORMAT_U8: *(uint8_t *)to = (uint8_t)(i16 > UINT8_MAX ? UINT8_MAX : i16 < 0 ? 0 : i16); return;
  case BP_FORMAT_BOOL: *(uint8_t *)to = value != 0; return;
  default: bp_store_one(to, format, (float)value);
  }
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker;
  bp_cpu_view part = c->out[0];
  if (phase == 0) {
    char unit[8];
    encode(unit, part.dtype, bp_attr_float(c, BP_PAD_VALUE, 0));
    bp_cpu_view constant = {.data = unit, .rank = 0, .block_bytes = part.block_bytes};
    bp_copy_view(&part, &constant, begin, end);
    return;
  }
  uint32_t count;
  const int64_t *before = bp_attr_ints(c, BP_PAD_BEFORE, &count);
  for (uint32_t i = 0; i < part.rank; i++) {
    part.data = (char *)part.data + before[i] * part.stride[i];
    part.extent[i] = c->in[0].extent[i];
  }
  bp_copy_view(&part, &c->in[0], begin, end);
}

const bp_cpu_kernel bp_cpu_pad_scalar = {"pad", "pad_scalar", 0, 0, 0, 0, supports, plan, run};
