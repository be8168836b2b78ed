// matmul_integer and qlinear_matmul: i8 and u8 in any combination, any stride; leading dimensions broadcast. Plain C, which the
// compiler turns into the instructions of VECTOR_TARGET; included once an isa.
//
// An item is a row of the result. Scratch: a row of a without its zero point, in 32 and in 16 bits, and a row of sums, a worker. Sums wrap in 32 bits.
#include "../matmul/problem.h"
#include "../shared/quantise.h"
#ifdef VECTOR_TARGET
#pragma clang attribute push(__attribute__((target(VECTOR_TARGET))), apply_to = function)
#endif

typedef struct problem {
  const bp_cpu_view *a, *b, *y, *zero_a, *zero_b; // zero points NULL when absent
  int64_t m, n, k, a_row, a_step, b_row, b_step;
} problem;

static const bp_cpu_view *present(const bp_cpu_view *v) { return v->dtype ? v : 0; }

static problem problem_of(const bp_cpu_call *c, int qlinear) {
  problem p = {.a = &c->in[0], .b = &c->in[1], .y = &c->out[0], .zero_a = present(&c->in[qlinear ? 5 : 2]), .zero_b = present(&c->in[qlinear ? 6 : 3])};
  int transposed = bp_attr_int(c, qlinear ? BP_QLINEAR_MATMUL_TRANSPOSE_B : BP_MATMUL_INTEGER_TRANSPOSE_B, 1) == 1;
  uint32_t ra = p.a->rank, rb = p.b->rank, ry = p.y->rank;
  p.m = p.y->extent[ry - 2], p.n = p.y->extent[ry - 1], p.k = p.a->extent[ra - 1];
  p.a_row = p.a->stride[ra - 2], p.a_step = p.a->stride[ra - 1];
  p.b_row = p.b->stride[transposed ? rb - 2 : rb - 1], p.b_step = p.b->stride[transposed ? rb - 1 : rb - 2];
  return p;
}

// Element i of a vector, or its only one.
static const char *element(const bp_cpu_view *v, int64_t i) { return (const char *)v->data + (v->extent[0] == 1 ? 0 : i * v->stride[0]); }
static int32_t zero_at(const bp_cpu_view *v, int64_t i) { return v ? bp_load_small(element(v, i), v->dtype) : 0; }
static float scale_at(const bp_cpu_view *v, int64_t i) { return bp_load_one(element(v, i), BP_FORMAT_F32); }

// Sums of products; elements without their zero point mostly fit in 16 bits, where processors multiply twice as many at a time.
static uint32_t dot_16_i8(const int16_t *a, const int8_t *b, int64_t n) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (uint32_t)(a[i] * b[i]);
  return sum;
}
static uint32_t dot_16_u8(const int16_t *a, const uint8_t *b, int64_t n) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (uint32_t)(a[i] * b[i]);
  return sum;
}
static uint32_t dot_32(const int32_t *a, const char *b, int64_t step, int64_t n, bp_id format) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (uint32_t)a[i] * (uint32_t)bp_load_small(b + i * step, format);
  return sum;
}

// A worker's scratch.
typedef struct own { int32_t *row, *sums; int16_t *narrow; } own;
static uint64_t own_bytes(const problem *p) { return bp_round_up((uint64_t)(p->k + p->n) * 4 + (uint64_t)p->k * 2, 64); }
static own own_of(const bp_cpu_call *c, const problem *p, uint32_t worker) {
  int32_t *row = (int32_t *)((char *)c->scratch + own_bytes(p) * worker);
  return (own){row, row + p->k, (int16_t *)(row + p->k + p->n)};
}

// The row of a that begins at `a` without its zero point; 1 when it is in `narrow` too.
static int load_row(const problem *p, const char *a, int32_t zero, const own *o) {
  int fits = zero >= -32000 && zero <= 32000;
  for (int64_t k = 0; k < p->k; k++) o->row[k] = (int32_t)((uint32_t)bp_load_small(a + k * p->a_step, p->a->dtype) - (uint32_t)zero);
  if (fits) for (int64_t k = 0; k < p->k; k++) o->narrow[k] = (int16_t)o->row[k];
  return fits;
}
static void row_sums(const problem *p, const char *b, const own *o, int fits) {
  uint32_t of_a = 0;
  for (int64_t k = 0; k < p->k; k++) of_a += (uint32_t)o->row[k];
  for (int64_t n = 0; n < p->n; n++) {
    const char *row = b + n * p->b_row;
    uint32_t sum = !fits || p->b_step != 1 ? dot_32(o->row, row, p->b_step, p->k, p->b->dtype)
                   : p->b->dtype == BP_FORMAT_I8 ? dot_16_i8(o->narrow, (const int8_t *)row, p->k) : dot_16_u8(o->narrow, (const uint8_t *)row, p->k);
    o->sums[n] = (int32_t)(sum - (uint32_t)zero_at(p->zero_b, n) * of_a);
  }
}

static void plan(const bp_cpu_call *c, bp_cpu_plan *to, int qlinear) {
  problem p = problem_of(c, qlinear);
  bp_plan_items(to, bp_rows(p.y), 1 + (1 << 15) / (uint64_t)(p.k * p.n + 1));
  to->scratch_bytes = own_bytes(&p) * c->workers;
}

static void run(const bp_cpu_call *c, uint64_t begin, uint64_t end, uint32_t worker, int qlinear) {
  problem p = problem_of(c, qlinear);
  own o = own_of(c, &p, worker);
  int64_t step = bp_last_stride(p.y);
  for (uint64_t i = begin; i < end; i++) {
    int64_t batch = (int64_t)i / p.m, m = (int64_t)i % p.m;
    int fits = load_row(&p, bp_batch_address(p.a, p.y, batch) + m * p.a_row, zero_at(p.zero_a, m), &o);
    row_sums(&p, bp_batch_address(p.b, p.y, batch), &o, fits);
    char *y = bp_batch_address(p.y, p.y, batch) + m * p.y->stride[p.y->rank - 2];
    if (!qlinear) {
      for (int64_t n = 0; n < p.n; n++) memcpy(y + n * step, &o.sums[n], 4);
      continue;
    }
    double factor = (double)scale_at(&c->in[2], m) / scale_at(&c->in[4], 0);
    int32_t zero_y = zero_at(present(&c->in[7]), 0);
    for (int64_t n = 0; n < p.n; n++) bp_store_quant(y + n * step, p.y->dtype, o.sums[n] * (factor * scale_at(&c->in[3], n)), zero_y);
  }
}

static int matrices(const bp_cpu_call *c, bp_cpu_refusal *why) {
  for (uint32_t i = 0; i < 2; i++) {
    if (!bp_is_small(c->in[i].dtype)) return bp_refuse(why, BP_REASON_DTYPE, i, 0, 0);
    if (!bp_wants_rank(&c->in[i], 2, i, why)) return 0;
  }
  return 1;
}
static int zero_point(const bp_cpu_call *c, uint32_t i, bp_cpu_refusal *why) {
  const bp_cpu_view *v = &c->in[i];
  if (v->dtype && v->dtype != BP_FORMAT_I32 && !bp_is_small(v->dtype)) return bp_refuse(why, BP_REASON_DTYPE, i, 0, 0);
  return !v->dtype || v->rank == 1 ? 1 : bp_refuse(why, BP_REASON_RANK, i, 1, v->rank);
}
static int matmul_integer_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!matrices(c, why) || !zero_point(c, 2, why) || !zero_point(c, 3, why)) return 0;
  return c->out[0].dtype == BP_FORMAT_I32 ? 1 : bp_refuse(why, BP_REASON_DTYPE, 4, 0, 0);
}
static int qlinear_matmul_supports(const bp_cpu_call *c, bp_cpu_refusal *why) {
  if (!matrices(c, why)) return 0;
  for (uint32_t i = 2; i < 5; i++) {
    if (c->in[i].dtype == 0) return bp_refuse(why, BP_REASON_OPERAND_MISSING, i, 0, 0);
    if (!bp_wants_optional(&c->in[i], BP_FORMAT_F32, 1, i, why)) return 0;
  }
  for (uint32_t i = 5; i < 8; i++) if (!zero_point(c, i, why)) return 0;
  return bp_is_small(c->out[0].dtype) ? 1 : bp_refuse(why, BP_REASON_DTYPE, 8, 0, 0);
}

static void matmul_integer_plan(const bp_cpu_call *c, bp_cpu_plan *to) { plan(c, to, 0); }
static void qlinear_matmul_plan(const bp_cpu_call *c, bp_cpu_plan *to) { plan(c, to, 1); }
static void matmul_integer_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { (void)phase, run(c, begin, end, worker, 0); }
static void qlinear_matmul_run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) { (void)phase, run(c, begin, end, worker, 1); }

const bp_cpu_kernel VARIANT(bp_cpu_matmul_integer) = {"matmul_integer", VARIANT_NAME("matmul_integer"), VARIANT_NEEDS, 0, 0, 0, matmul_integer_supports, matmul_integer_plan, matmul_integer_run};
const bp_cpu_kernel VARIANT(bp_cpu_qlinear_matmul) = {"qlinear_matmul", VARIANT_NAME("qlinear_matmul"), VARIANT_NEEDS, 0, 0, 0, qlinear_matmul_supports, qlinear_matmul_plan, qlinear_matmul_run};
#ifdef VECTOR_TARGET
#pragma clang attribute pop
#endif
