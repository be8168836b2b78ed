/* Operators that move or convert elements bit for bit: reshape transpose slice concat pad gather tensor_scatter dequantize. */
#include "mutant.h"

static int64_t axis_of(int64_t axis, const view *v) { return axis < 0 ? axis + v->rank : axis; }
/* Both in units, of one shape. */
static void copy_all(const view *to, const view *from) {
  for (int64_t i = 0, n = count(to); i < n; i++) memcpy(element_at(to, i), element_at(from, i), (size_t)to->block_bytes);
}

void run_reshape(call *c) {
  view y = in_units(c->out[0]), x = in_units(c->in[0]);
  int64_t n = count(&y);
  if (FAULT(160) && n > 1) n--;
  for (int64_t i = 0; i < n; i++) {
    const char *from = FAULT(161) ? x.data + i * x.block_bytes : element_at(&x, i);
    if (FAULT(162) && x.rank > 2) { /* the two leading dimensions are walked in the wrong order */
      int64_t inner = count(&x) / x.dim[0] / x.dim[1], row = i / inner;
      from = element_at(&x, (row % x.dim[0] * x.dim[1] + row / x.dim[0]) * inner + i % inner);
    }
    memcpy(element_at(&y, i), from, (size_t)y.block_bytes);
  }
}

void run_transpose(call *c) {
  view x = c->in[0], y = c->out[0], turned = x;
  const int64_t *order = ints_of(c, BP_TRANSPOSE_PERMUTATION);
  int given = c->attrs[BP_TRANSPOSE_PERMUTATION].count > 0;
  for (uint32_t i = 0; i < x.rank; i++) {
    int64_t from = given ? axis_of(order[i], &x) : x.rank - 1 - i;
    if (FAULT(163) && !given && x.rank > 2) from = i == x.rank - 1 ? x.rank - 2 : i == x.rank - 2 ? x.rank - 1 : i; /* as a batched matrix */
    turned.dim[i] = y.dim[i], turned.stride[i] = x.stride[from];
  }
  if (FAULT(164) && given) /* the inverse permutation: the same for swaps */
    for (uint32_t i = 0; i < x.rank; i++) turned.stride[axis_of(order[i], &x)] = x.stride[i];
  copy_all(&y, &turned);
  if (FAULT(165) && y.dtype == BP_FORMAT_F32)
    for (int64_t i = 0; i < count(&y); i++) store_one(element_at(&y, i), y.dtype, flush(load_one(element_at(&y, i), y.dtype)));
  if (FAULT(166) && y.rank && y.dim[y.rank - 1] > 4) /* a tile of 4: the rest of each row is not written */
    for (int64_t i = 0; i < count(&y); i++)
      if (i % last(&y) >= last(&y) / 4 * 4) memset(element_at(&y, i), 0, (size_t)y.block_bytes);
}

void run_slice(call *c) {
  view x = c->in[0], y = in_units(c->out[0]);
  int64_t axis = axis_of(int_of(c, BP_SLICE_AXIS), &x), start = int_of(c, BP_SLICE_START), step = int_of(c, BP_SLICE_STEP);
  if (FAULT(170)) axis = int_of(c, BP_SLICE_AXIS) < 0 ? 0 : axis;
  if (start < 0) start += x.dim[axis];
  if (FAULT(167) && int_of(c, BP_SLICE_START) < 0 && start > 0) start--;
  if (FAULT(168)) step = 1;
  if (FAULT(169) && axis + 1 < x.rank && step > 1) start++;
  start = start < 0 ? 0 : start > x.dim[axis] ? x.dim[axis] : start;
  int64_t unit = axis == (int64_t)x.rank - 1 ? x.block : 1;
  x.data += start / unit * x.stride[axis];
  x.stride[axis] *= step;
  memcpy(x.dim, y.dim, sizeof x.dim);
  copy_all(&y, &x);
}

void run_concat(call *c) {
  view part = in_units(c->out[0]);
  int64_t axis = axis_of(int_of(c, BP_CONCAT_AXIS), &part);
  char *start = part.data;
  for (uint32_t i = 0; i < c->n_in; i++) {
    int backwards = FAULT(171) && int_of(c, BP_CONCAT_AXIS) < 0;
    view x = in_units(c->in[backwards ? c->n_in - 1 - i : i]);
    part.dim[axis] = x.dim[axis];
    if (FAULT(172) && i > 1) part.data = start + i * in_units(c->in[0]).dim[axis] * part.stride[axis]; /* as if all were of one size */
    if (FAULT(173) && x.dim[axis] == 1 && i + 1 == c->n_in && i > 0) continue;
    if (FAULT(174)) for (uint32_t d = 0; d < x.rank; d++) if (x.stride[d] == 0) x.stride[d] = x.block_bytes;
    if (x.dim[axis] + (part.data - start) / (part.stride[axis] ? part.stride[axis] : 1) > in_units(c->out[0]).dim[axis]) continue;
    copy_all(&part, &x);
    part.data += x.dim[axis] * part.stride[axis];
  }
}

static void encode(char *to, bp_id format, double value) {
  int64_t whole = value != value ? 0 : value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
  if (FAULT(175)) whole = (int64_t)rint(value);
#define LIMITED(type, low, high) { type x = (type)(whole < (low) ? (low) : whole > (high) ? (high) : whole); memcpy(to, &x, sizeof x); return; }
  switch (format) {
  case BP_FORMAT_F64: memcpy(to, &value, 8); return;
  case BP_FORMAT_I64: memcpy(to, &whole, 8); return;
  case BP_FORMAT_I32: LIMITED(int32_t, INT32_MIN, INT32_MAX)
  case BP_FORMAT_I16: LIMITED(int16_t, INT16_MIN, INT16_MAX)
  case BP_FORMAT_I8: LIMITED(int8_t, INT8_MIN, INT8_MAX)
  case BP_FORMAT_U8: LIMITED(uint8_t, 0, UINT8_MAX)
  case BP_FORMAT_BOOL: *to = value != 0; return;
  default: store_one(to, format, (float)value);
  }
#undef LIMITED
}
void run_pad(call *c) {
  view y = c->out[0], x = c->in[0];
  const int64_t *before = ints_of(c, BP_PAD_BEFORE), *after = ints_of(c, BP_PAD_AFTER);
  char value[8];
  encode(value, y.dtype, c->attrs[BP_PAD_VALUE].f);
  if (FAULT(176) && y.block_bytes != 4) memset(value, 0, sizeof value);
  for (int64_t i = 0, n = count(&y); i < n; i++) {
    if (FAULT(177) && i == n - 1 && y.rank > 1) continue; /* the last corner */
    memcpy(element_at(&y, i), value, (size_t)y.block_bytes);
  }
  for (uint32_t d = 0; d < y.rank; d++) {
    y.data += (FAULT(178) && d + 1 == y.rank ? after[d] : before[d]) * y.stride[d];
    y.dim[d] = x.dim[d];
  }
  copy_all(&y, &x);
}

void run_gather(call *c) {
  const view *t = &c->in[0], *y = &c->out[0];
  view x = c->in[1];
  int64_t n = last(y), items = count(&x);
  float scale = float_of(c, BP_GATHER_SCALE), *row = floats(c, n + 1);
  if (!row) return;
  for (int64_t i = 0; i < items; i++) {
    int64_t index = load_index(element_at(&x, i), x.dtype);
    if (FAULT(400)) index = (int32_t)index;
    if (FAULT(401)) index = index < 0 ? 0 : index >= t->dim[0] ? t->dim[0] - 1 : index;
    if (FAULT(402) && index < 0 && index >= -t->dim[0]) index += t->dim[0];
    if (FAULT(406) && index == t->dim[0]) index--; /* one past the table */
    if (index < 0 || index >= t->dim[0]) {
      if (FAULT(403)) continue; /* what was there stays */
      memset(row, 0, (size_t)n * 4);
    } else {
      decode(t->dtype, t->data + index * t->stride[0], t->stride[1], row, n);
      for (int64_t k = 0; k < n && !(FAULT(404) && t->block > 1); k++) row[k] *= scale;
    }
    if (FAULT(407)) for (int64_t k = 0; k < n; k++) row[k] = round_f16(row[k]);
    store_row(row_at(y, i), last_stride(y), y->dtype, row, n);
  }
}

void run_dequantize(call *c) {
  const view *x = &c->in[0], *y = &c->out[0];
  int64_t n = last(y);
  float *row = floats(c, n);
  if (!row) return;
  for (int64_t r = 0; r < rows(y); r++) {
    decode(x->dtype, row_at(x, r), last_stride(x), row, n);
    if (FAULT(434) && y->dtype == BP_FORMAT_BF16)
      for (int64_t i = 0; i < n; i++) row[i] = from_bits(bits(row[i]) & 0xffff0000);
    store_row(row_at(y, r), last_stride(y), y->dtype, row, n);
  }
}

/* ---- tensor_scatter ---- */

static int8_t to_i8(float q) { return !isfinite(q) ? 0 : q >= 127 ? 127 : q <= -128 ? -128 : (int8_t)q; }
static void quantise_q8_0(char *to, const float *x) {
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[i]));
  float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
  uint16_t half = to_f16(d);
  memcpy(to, &half, 2);
  if (FAULT(390) && d != 0) inverse = 1 / from_f16(half);
  for (int i = 0; i < 32; i++) to[2 + i] = to_i8(FAULT(391) ? rintf(x[i] * inverse) : roundf(x[i] * inverse));
}
static void quantise_q4_0(char *to, const float *x) {
  float extreme = 0;
  for (int i = 0; i < 32; i++)
    if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
  if (FAULT(392)) extreme = -fabsf(extreme);
  float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
  uint16_t half = to_f16(d);
  memcpy(to, &half, 2);
  for (int i = 0; i < 16; i++) {
    int low = to_i8(x[i] * inverse + 8.5f), high = to_i8(x[16 + i] * inverse + 8.5f);
    if (FAULT(393)) to[2 + i] = (char)((low & 15) | (high & 15) << 4);
    else to[2 + i] = (char)((low > 15 ? 15 : low) | (high > 15 ? 15 : high) << 4);
  }
}
void run_tensor_scatter(call *c) {
  view cache = in_units(c->in[0]), y = in_units(c->out[0]);
  const view *x = &c->in[1], *positions = &c->in[2];
  int64_t total = y.rank ? y.dim[0] : 0, tokens = x->dim[0], n = last(x), inner = rows(x) / (tokens ? tokens : 1);
  int circular = is(c, BP_TENSOR_SCATTER_MODE, "circular");
  float *row = floats(c, n);
  if (!row) return;
  if (cache.data != y.data) {
    if (FAULT(394) && total > 1) cache.dim[0]--, y.dim[0]--;
    copy_all(&y, &cache);
    y.dim[0] = total;
  }
  for (int64_t k = 0; k < tokens && total; k++) {
    int64_t t = FAULT(395) ? tokens - 1 - k : k; /* the earlier wins */
    int64_t at = load_index(positions->data + t * positions->stride[0], positions->dtype);
    if (FAULT(396) && at < 0 && circular) at = (at % total + total) % total;
    if (FAULT(397) && at >= total && !circular) at = total - 1;
    if (FAULT(398) && at > total && circular) continue; /* wraps once only, at the end itself */
    if (at < 0 || (at >= total && !circular)) continue;
    if (x->rank == 1) {
      store_one(y.data + at % total * y.stride[0], y.dtype, load_one(x->data + t * x->stride[0], x->dtype));
      continue;
    }
    for (int64_t r = 0; r < inner; r++) {
      char *to = row_at(&c->out[0], at % total * inner + r);
      decode(x->dtype, row_at(x, t * inner + r), last_stride(x), row, n);
      if (y.block == 1) store_row(to, last_stride(&y), y.dtype, row, n);
      else for (int64_t b = 0; b < n / 32; b++) (y.dtype == BP_FORMAT_Q8_0 ? quantise_q8_0 : quantise_q4_0)(to + b * last_stride(&y), row + 32 * b);
    }
  }
}
