// argmax, topk and sample along the last dimension: a work item a row. The order of elements is "larger first, then lower index"; a NaN is the largest
// for argmax and topk, and minus infinity for sample.
#include "shared/rows.cl"

typedef struct candidate { float key; int index; } candidate;
inline bool is_before(candidate a, candidate b) {
  if (isnan(a.key) != isnan(b.key)) return isnan(a.key);
  if (!isnan(a.key) && a.key != b.key) return a.key > b.key;
  return a.index < b.index;
}

kernel void argmax(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps, const int n, const long x_step) {
  const uint index = get_global_id(0);
  global const uchar *x = AT(x) + offset_of(index, extents, x_steps);
  candidate best = {LOAD(X)(x), 0};
  // The largest of 16 tells whether to look closer.
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    float most = max16(ROW16(X, x, i, x_step));
    if (isnan(best.key) || (!isnan(most) && most <= best.key)) continue;
    for (int j = i; j < i + 16; j++) {
      candidate own = {LOAD(X)(x + j * x_step), j};
      if (is_before(own, best)) best = own;
    }
  }
  for (; i < n; i++) {
    candidate own = {LOAD(X)(x + i * x_step), i};
    if (is_before(own, best)) best = own;
  }
  store_i32(AT(y) + offset_of(index, extents, y_steps), best.index);
}

// A number that orders floats: zeros are equal, a NaN is largest.
inline uint rank_of(float v) {
  if (isnan(v)) return 0xffffffffu;
  uint u = as_uint(v == 0 ? 0.0f : v);
  return u >> 31 ? ~u : u | 0x80000000u;
}

// The k first one after the other: each is the best of those that come after the one before it.
kernel void topk(OUT(values), OUT(indices), IN(x), const int8 extents, const long8 value_steps, const long8 index_steps, const long8 x_steps, const int n,
                 const long x_step, const long value_step, const long index_step, const int k, const int largest) {
  const uint row = get_global_id(0);
  global const uchar *x = AT(x) + offset_of(row, extents, x_steps);
  global uchar *values = AT(values) + offset_of(row, extents, value_steps), *indices = AT(indices) + offset_of(row, extents, index_steps);
  const uint flip = largest ? 0u : 0xffffffffu;
  uint last = 0xffffffffu;
  int last_index = -1;
  for (int place = 0; place < k; place++) {
    uint best = 0;
    int best_index = -1;
    for (int i = 0; i < n; i++) {
      uint own = rank_of(LOAD(X)(x + i * x_step)) ^ flip;
      if (own > last || (own == last && i <= last_index)) continue;  // taken before
      if (best_index < 0 || own > best) best = own, best_index = i;
    }
    last = best;
    last_index = best_index;
    STORE(X)(values + place * value_step, LOAD(X)(x + best_index * x_step));
    store_i32(indices + place * index_step, best_index);
  }
}

#ifdef HAS_FP64
typedef double wide;
#else
typedef float wide;
#endif
inline float logit(global const uchar *x, int i, long step) {
  float v = LOAD(X)(x + i * step);
  return isnan(v) ? -INFINITY : v;
}
inline wide weight(float v, float most, float temperature) { return exp(((wide)v - most) / temperature); }

// The rank below which nothing is kept, found bit by bit: the largest rank r so that those with rank >= r are at least `count` elements or `mass` of weight.
inline uint threshold(global const uchar *x, int n, long step, float most, uint floor_rank, long count, wide mass, bool by_mass) {
  uint found = 0;
  for (int bit = 31; bit >= 0; bit--) {
    uint wanted = found | 1u << bit;
    long elements = 0;
    wide sum = 0;
    for (int i = 0; i < n; i++) {
      float v = logit(x, i, step);
      uint rank = rank_of(v);
      if (rank < wanted || rank < floor_rank) continue;
      elements++;
      if (by_mass) sum += weight(v, most, 1);
    }
    if (by_mass ? sum >= mass : elements >= count) found = wanted;
  }
  return max(found, floor_rank);
}

// Elements that are kept: those of higher rank than `rank`, and `ties` of that rank, in order of their index.
typedef struct kept { uint rank; long ties; } kept;
inline wide kept_mass(global const uchar *x, int n, long step, float most, kept limit) {
  wide sum = 0;
  for (int i = 0; i < n; i++) {
    float v = logit(x, i, step);
    uint rank = rank_of(v);
    if (rank > limit.rank || (rank == limit.rank && limit.ties-- > 0)) sum += weight(v, most, 1);
  }
  return sum;
}

kernel void sample(OUT(y), IN(logits), IN(draws), const int8 extents, const long8 y_steps, const long8 x_steps, const long8 draw_steps, const int n,
                   const long step, const float temperature, const int top_k, const float top_p, const float min_p) {
  const uint row = get_global_id(0);
  global const uchar *x = AT(logits) + offset_of(row, extents, x_steps);
  global uchar *y = AT(y) + offset_of(row, extents, y_steps);
  float most = -INFINITY;
  int best = 0;
  for (int i = 0; i < n; i++) {
    float v = logit(x, i, step);
    if (v > most) most = v, best = i;
  }
  if (temperature == 0 || isinf(most)) {
    store_i32(y, best);
    return;
  }
  kept limit = {0, n};
  if (top_k > 0 && top_k < n) {
    limit.rank = threshold(x, n, step, most, 0, top_k, 0, false);
    long above = 0;
    for (int i = 0; i < n; i++) above += rank_of(logit(x, i, step)) > limit.rank;
    limit.ties = top_k - above;
  }
  if (top_p < 1) {
    const wide all = kept_mass(x, n, step, most, limit) * top_p;
    const uint rank = threshold(x, n, step, most, limit.rank, 0, all, true);
    wide above = 0;
    long ties = 0;
    float tied = 0;
    for (int i = 0; i < n; i++) {
      float v = logit(x, i, step);
      if (rank_of(v) > rank) above += weight(v, most, 1);
      if (rank_of(v) == rank) ties++, tied = v;
    }
    if (rank == limit.rank) ties = min(ties, limit.ties);
    long needed = 1;
    for (wide sum = above + weight(tied, most, 1); sum < all && needed < ties; needed++) sum += weight(tied, most, 1);
    limit.rank = rank;
    limit.ties = needed;
  }
  // Twice over what is kept: its weight, then the place of the draw in it.
  wide total = 0, sum = 0;
  const wide draw = load_f32(AT(draws) + offset_of(row, extents, draw_steps));
  int chosen = best;
  for (int pass = 0; pass < 2; pass++) {
    long ties = limit.ties;
    for (int i = 0; i < n; i++) {
      float v = logit(x, i, step);
      uint rank = rank_of(v);
      if (rank < limit.rank || (rank == limit.rank && ties-- <= 0)) continue;
      if (min_p > 0 && v != most && weight(v, most, 1) < min_p) continue;
      wide w = weight(v, most, temperature);
      if (pass == 0) {
        total += w;
        continue;
      }
      sum += w;
      if (w > 0) chosen = i;
      if (sum > draw * total) break;
    }
  }
  store_i32(y, chosen);
}
