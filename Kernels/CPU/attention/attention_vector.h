// Scaled dot-product attention with an online softmax, in the names of lanes_*.h.
//
// The unit of work is a block of query rows that share a key head: `tokens` tokens times the heads of a group, so that a pass
// over K and V serves them all. It goes over the visible keys in blocks of KEYS. Few rows (decode) read K and V as they are
// stored (few_rows.h); more rows go through the tiles of matmul (tile.h). Blocks that no row sees are skipped. When there are
// too few units for the workers, each is split over ranges of keys, and a second phase merges the parts.
//
// q, k, v, y  as attention_scalar. Scratch: buffers a worker, and the parts.
// Error       scores and sums in float, at most d and s roundings; exp within 1.1 ulp.
// Hidden keys have weight 0 here, which a NaN or an infinity among their values survives: a row that comes out not finite is done
// again by itself.
#include "../shared/tile.h"
#include "alone.h"
#include "few_rows.h"

enum { KEYS = 64, ROWS = 192, SPLIT_ROWS = 16 }; // keys of a block; most query rows of a unit, and of one whose keys may be split

enum { UNIT_ROWS, ITEMS, PARAMETERS };
enum { MOST_ITEMS = 8 };
static const bp_cpu_parameter parameters[PARAMETERS] = {
  [UNIT_ROWS] = {"unit_rows", 96, {24, 48, 96, 192}, 4, 0},           // query rows that share a pass over K and V
  [ITEMS] = {"items_per_worker", 2, {1, 2, 4, MOST_ITEMS}, 4, 0},     // keys are split when there are fewer than these
};
static int64_t choice(const bp_cpu_call *c, uint32_t index) { return bp_parameter(c, index, parameters[index].standard); }

typedef struct shape {
  int64_t tokens, blocks, units, splits;    // a unit's tokens; units along T; in all; parts of each
  int64_t rows, d, e;                       // padded: rows of a unit, row lengths of keys and values
  int64_t wide;                             // the longer of the two
  int64_t split_rows;                       // rows of a unit that may be split
  uint64_t parts_floats, own_floats;
} shape;

static shape shape_of(const bp_cpu_call *c, const bp_attention *p) {
  int64_t wanted = choice(c, ITEMS) * (int64_t)c->workers, heads = p->h ? p->batches * p->g : 0, most_rows = choice(c, UNIT_ROWS);
  shape z = {.tokens = p->group < most_rows ? most_rows / p->group : 1, .splits = 1, .d = (p->d + LANES - 1) / LANES * LANES, .e = (p->e + PANEL - 1) / PANEL * PANEL};
  while (z.tokens * p->group > 2 * STRIP && heads * ((p->t + z.tokens - 1) / z.tokens) < wanted && z.tokens > 1) z.tokens = (z.tokens + 1) / 2;
  z.blocks = (p->t + z.tokens - 1) / z.tokens;
  z.units = heads * z.blocks;
  z.split_rows = p->group > SPLIT_ROWS ? p->group : SPLIT_ROWS;
  int64_t rows = (p->t < z.tokens ? p->t : z.tokens) * p->group;
  if (z.units > 0 && z.units < wanted && rows <= z.split_rows) {
    int64_t most = p->s / (2 * KEYS);
    z.splits = (wanted + z.units - 1) / z.units;
    if (z.splits > most) z.splits = most < 1 ? 1 : most;
  }
  z.wide = z.d > z.e ? z.d : z.e;
  // The same for all numbers of tokens and keys, so that bounds hold what the actual extents need.
  z.rows = ((p->group > ROWS ? p->group : ROWS) + STRIP - 1) / STRIP * STRIP;
  z.parts_floats = (uint64_t)(2 * MOST_ITEMS * c->workers * z.split_rows * (z.e + 2) + 15) / 16 * 16;
  z.own_floats = (uint64_t)(z.rows * (z.d + z.wide + 2 * KEYS + 2) + KEYS * (2 * z.d + z.e) + 15) / 16 * 16;
  return z;
}

// A worker's buffers.
typedef struct room {
  float *q, *o, *s, *packed, *most, *total; // rows: queries, sums, scores, packed weights, maximum, sum of weights
  float *keys, *panels, *values;            // of one block
} room;

static room room_of(const bp_cpu_call *c, const shape *z, uint32_t worker) {
  room r = {.q = (float *)c->scratch + z->parts_floats + z->own_floats * worker};
  r.o = r.q + z->rows * z->d;
  r.s = r.o + z->rows * z->wide; // o first holds the queries on their way into strips
  r.packed = r.s + z->rows * KEYS;
  r.most = r.packed + z->rows * KEYS;
  r.total = r.most + z->rows;
  r.keys = r.total + z->rows;
  r.panels = r.keys + KEYS * z->d;
  r.values = r.panels + KEYS * z->d;
  return r;
}

// Where one unit's operands begin.
typedef struct unit {
  int64_t batch, head, token, rows; // key head; first token
  const char *k, *v;
} unit;

static unit unit_of(const bp_attention *p, const shape *z, int64_t index) {
  int64_t block = z->blocks - 1 - index % z->blocks; // the longest first, under a causal mask
  unit u = {.head = index / z->blocks % p->g, .batch = index / z->blocks / p->g, .token = block * z->tokens};
  int64_t tokens = p->t - u.token < z->tokens ? p->t - u.token : z->tokens;
  u.rows = tokens * p->group;
  u.k = bp_attention_batch(p->k, 3, u.batch) + u.head * p->k->stride[p->k->rank - 2];
  u.v = bp_attention_batch(p->v, 3, u.batch) + u.head * p->v->stride[p->v->rank - 2];
  return u;
}

static void load_queries(const bp_attention *p, const shape *z, const unit *u, float *to) {
  const bp_cpu_view *q = p->q;
  const char *base = bp_attention_batch(q, 3, u->batch);
  for (int64_t r = 0; r < u->rows; r++)
    bp_load_run(to + r * z->d, base + (u->token + r / p->group) * q->stride[q->rank - 3] + (u->head * p->group + r % p->group) * q->stride[q->rank - 2],
                q->stride[q->rank - 1], (uint64_t)p->d, q->dtype);
}

// n rows of keys or values as floats, to_row floats apart.
static void decode_rows(const bp_cpu_view *v, const char *from, int64_t n, int64_t width, float *to, int64_t to_row) {
  int64_t row = v->stride[v->rank - 3];
  if (v->stride[v->rank - 1] == v->block_bytes)
    for (int64_t j = 0; j < n; j++) V_NAME(bp_decode)(v->dtype, from + j * row, to + j * to_row, width);
  else
    for (int64_t j = 0; j < n; j++) bp_attention_row(v, from + j * row, to + j * to_row, width);
}

// Turns dot products with keys j … j + n into weights relative to the row's maximum so far, and rescales what has been summed.
static void soften(const bp_attention *p, const shape *z, const unit *u, const room *b, int64_t r, int64_t j, int64_t n) {
  int64_t t = u->token + r / p->group, h = u->head * p->group + r % p->group, first, last;
  float *s = b->s + r * KEYS;
  bp_attention_range(p, t, &first, &last);
  for (int64_t i = 0; i < KEYS; i += LANES) {
    vf x = v_mul(v_load(s + i), v_set(p->scale));
    if (p->softcap > 0) x = v_mul(v_set(p->softcap), v_tanh(v_div(x, v_set(p->softcap))));
    v_store(s + i, x);
  }
  if (p->mask && p->mask->dtype == BP_FORMAT_F32 && p->mask->stride[1] == 4) {
    const float *mask = (const float *)((const char *)p->mask->data + t * p->mask->stride[0]) + j;
    for (int64_t i = 0; i < n; i++) s[i] = mask[i] == -INFINITY ? -INFINITY : s[i] + mask[i]; // what is masked may be NaN
  } else if (p->mask) {
    for (int64_t i = 0; i < n; i++) {
      float mask = bp_mask_at(p->mask, t, j + i);
      s[i] = mask == -INFINITY ? -INFINITY : s[i] + mask;
    }
  }
  if (p->alibi) {
    float slope = bp_vector_at(p->alibi, h);
    for (int64_t i = 0; i < n; i++) s[i] += slope * (float)(j + i - (t + p->s - p->t));
  }
  for (int64_t i = 0; i < KEYS && j + i < first; i++) s[i] = -INFINITY;
  int64_t end = last - j < 0 ? 0 : last - j < n ? last - j : n;
  for (int64_t i = end; i < KEYS; i++) s[i] = -INFINITY;

  vf most4 = v_load(s);
  for (int64_t i = LANES; i < KEYS; i += LANES) most4 = v_max(most4, v_load(s + i));
  float lanes[LANES], most = b->most[r];
  v_store(lanes, most4);
  for (int i = 0; i < LANES; i++) most = lanes[i] <= most ? most : lanes[i];
  int lost = 0; // v_max drops a NaN; here it becomes the maximum
  for (int64_t i = 0; i < KEYS; i++) lost |= s[i] != s[i];
  if (lost) most = NAN;
  if (most == -INFINITY) {
    for (int64_t i = 0; i < KEYS; i += LANES) v_store(s + i, v_zero());
    return;
  }
  vf sum = v_zero();
  for (int64_t i = 0; i < KEYS; i += LANES) {
    vf x = v_exp(v_sub(v_load(s + i), v_set(most)));
    v_store(s + i, x);
    sum = v_add(sum, x);
  }
  if (most != b->most[r]) {
    float keep = b->most[r] == -INFINITY ? 0 : expf(b->most[r] - most);
    float *o = b->o + r * z->e;
    for (int64_t i = 0; i < z->e; i += LANES) v_store(o + i, v_mul(v_load(o + i), v_set(keep)));
    b->total[r] *= keep;
    b->most[r] = most;
  }
  b->total[r] += v_sum(sum);
}

// One block of keys for few rows.
static void block_of_few(const bp_attention *p, const shape *z, const unit *u, const room *b, int64_t j, int64_t n) {
  const bp_cpu_view *k = p->k, *v = p->v;
  const char *keys = u->k + j * k->stride[k->rank - 3], *values = u->v + j * v->stride[v->rank - 3];
  int64_t k_row = k->stride[k->rank - 3], v_row = v->stride[v->rank - 3];
  int k_code = (int)bp_code_of(k->dtype), v_code = (int)bp_code_of(v->dtype);
  if (!few_takes(k_code) || k->stride[k->rank - 1] != k->block_bytes) {
    decode_rows(k, keys, n, p->d, b->keys, z->d);
    keys = (const char *)b->keys, k_row = z->d * 4, k_code = BP_CODE_F32;
  }
  if (!few_takes(v_code) || v->stride[v->rank - 1] != v->block_bytes) {
    decode_rows(v, values, n, p->e, b->values, z->e);
    values = (const char *)b->values, v_row = z->e * 4, v_code = BP_CODE_F32;
  }
  for (int64_t r = 0; r < u->rows; r += FEW)
    score_part(k_code, u->rows - r < FEW ? u->rows - r : FEW, keys, k_row, n, b->q + r * z->d, z->d, p->d, b->s + r * KEYS, KEYS);
  for (int64_t r = 0; r < u->rows; r++) soften(p, z, u, b, r, j, n);
  for (int64_t r = 0; r < u->rows; r += FEW)
    weigh_part(v_code, u->rows - r < FEW ? u->rows - r : FEW, values, v_row, n, b->s + r * KEYS, KEYS, p->e, b->o + r * z->e, z->e);
}

// One block of keys for many rows; b->q holds strips.
static void block_of_many(const bp_attention *p, const shape *z, const unit *u, const room *b, int64_t j, int64_t n) {
  decode_rows(p->k, u->k + j * p->k->stride[p->k->rank - 3], n, p->d, b->keys, z->d);
  decode_rows(p->v, u->v + j * p->v->stride[p->v->rank - 3], n, p->e, b->values, z->e);
  for (int64_t key = 0; key < n; key += LANES) // what lies behind the n keys gives scores that soften() overwrites
    for (int64_t x = 0; x < p->d; x += LANES)
      v_transpose(b->keys + key * z->d + x, z->d, b->panels + key / PANEL * PANEL * z->d + x * PANEL + key % PANEL, PANEL);
  for (int64_t r = 0; r < u->rows; r += STRIP) {
    int64_t rows = u->rows - r < STRIP ? u->rows - r : STRIP;
    for (int64_t key = 0; key < n; key += PANEL)
      tile(rows, b->q + r * p->d, b->panels + key * z->d, PANEL, p->d, b->s + r * KEYS + key, KEYS, 0);
    for (int64_t i = r; i < r + rows; i++) soften(p, z, u, b, i, j, n);
    pack_strip(b->s + r * KEYS, KEYS, (int)rows, n, b->packed);
    for (int64_t x = 0; x < p->e; x += PANEL) tile(rows, b->packed, b->values + x, z->e, n, b->o + r * z->e + x, z->e, 1);
  }
}

// y and lse of one row from its sums. The buffers of keys and values are free.
static void finish_row(const bp_attention *p, const unit *u, const room *b, int64_t r, float most, float total, float *o) {
  int64_t t = u->token + r / p->group, h = u->head * p->group + r % p->group;
  float sink = p->sinks ? bp_vector_at(p->sinks, h) : -INFINITY, top = sink > most ? sink : most;
  float keep = most == -INFINITY ? 0 : expf(most - top);
  total = total * keep + (sink == -INFINITY ? 0 : expf(sink - top));
  float factor = top == -INFINITY ? 0 : keep / total, lse = top == -INFINITY ? -INFINITY : top + logf(total);
  int lost = 0;
  for (int64_t x = 0; x < p->e; x++) {
    o[x] *= factor;
    lost |= !(fabsf(o[x]) < INFINITY);
  }
  if (lost) lse = bp_attention_alone(p, u->batch, t, h, b->keys, p->d > p->e ? b->panels : b->values + p->e, o = b->values);
  bp_attention_store(p, u->batch, t, h, o, lse);
}

static float *part_of(const bp_cpu_call *c, const shape *z, int64_t index, int64_t split, int64_t row) {
  return (float *)c->scratch + ((index * z->splits + split) * z->split_rows + row) * (z->e + 2);
}

static void run_unit(const bp_cpu_call *c, const bp_attention *p, const shape *z, int64_t index, int64_t split, const room *b) {
  unit u = unit_of(p, z, index);
  int many = u.rows >= STRIP;
  int64_t from, to, unused;
  bp_attention_range(p, u.token, &from, &unused);
  bp_attention_range(p, u.token + (u.rows - 1) / p->group, &unused, &to);
  if (to < from) to = from;
  if (z->splits > 1) {
    int64_t blocks = (to - from + KEYS - 1) / KEYS, start = from;
    from = start + split * blocks / z->splits * KEYS;
    int64_t end = start + (split + 1) * blocks / z->splits * KEYS;
    if (end < to) to = end;
  }
  load_queries(p, z, &u, many ? b->o : b->q); // strips are packed from o before it is cleared
  if (many)
    for (int64_t r = 0; r < u.rows; r += STRIP)
      pack_strip(b->o + r * z->d, z->d, (int)(u.rows - r < STRIP ? u.rows - r : STRIP), p->d, b->q + r * p->d);
  memset(b->o, 0, (size_t)(u.rows * z->e) * 4);
  for (int64_t r = 0; r < u.rows; r++) b->most[r] = -INFINITY, b->total[r] = 0;
  for (int64_t j = from; j < to; j += KEYS) {
    int64_t n = to - j < KEYS ? to - j : KEYS;
    if (many) block_of_many(p, z, &u, b, j, n);
    else block_of_few(p, z, &u, b, j, n);
  }
  for (int64_t r = 0; r < u.rows; r++) {
    if (z->splits == 1) {
      finish_row(p, &u, b, r, b->most[r], b->total[r], b->o + r * z->e);
      continue;
    }
    float *part = part_of(c, z, index, split, r);
    part[0] = b->most[r];
    part[1] = b->total[r];
    memcpy(part + 2, b->o + r * z->e, (size_t)p->e * 4);
  }
}

static void merge_unit(const bp_cpu_call *c, const bp_attention *p, const shape *z, int64_t index, const room *b) {
  unit u = unit_of(p, z, index);
  for (int64_t r = 0; r < u.rows; r++) {
    float most = -INFINITY, total = 0, *o = b->o;
    for (int64_t i = 0; i < z->splits; i++) {
      float m = part_of(c, z, index, i, r)[0];
      most = m <= most || most != most ? most : m;
    }
    memset(o, 0, (size_t)p->e * 4);
    for (int64_t i = 0; i < z->splits; i++) {
      const float *part = part_of(c, z, index, i, r);
      if (part[0] == -INFINITY) continue;
      float weight = expf(part[0] - most);
      total += weight * part[1];
      for (int64_t x = 0; x < p->e; x++) o[x] += weight * part[2 + x];
    }
    finish_row(p, &u, b, r, most, total, o);
  }
}

static int supports(const bp_cpu_call *c, bp_cpu_refusal *why) { return bp_attention_supported(c, why); }

static void plan(const bp_cpu_call *c, bp_cpu_plan *to) {
  bp_attention p = bp_attention_of(c);
  shape z = shape_of(c, &p);
  uint64_t work = (uint64_t)(p.s * (p.d + p.e) * p.group * (p.t < z.tokens ? p.t : z.tokens)) / (uint64_t)z.splits + 1;
  bp_plan_items(to, (uint64_t)(z.units * z.splits), 1 + (1 << 16) / work);
  if (z.splits > 1) to->phases = 2, to->items[1] = (uint64_t)z.units, to->grain[1] = 16;
  to->scratch_bytes = (z.parts_floats + z.own_floats * c->workers) * 4;
}

static void run(const bp_cpu_call *c, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker) {
  bp_attention p = bp_attention_of(c);
  shape z = shape_of(c, &p);
  room b = room_of(c, &z, worker);
  for (uint64_t i = begin; i < end; i++) {
    if (phase == 1) merge_unit(c, &p, &z, (int64_t)i, &b);
    else run_unit(c, &p, &z, (int64_t)i / z.splits, (int64_t)i % z.splits, &b);
  }
}
