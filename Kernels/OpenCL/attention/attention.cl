// attention with an online softmax: one pass over the keys, 16 at a time, for prefill and decode. A work item computes one query row of HEADS query heads that
// share a key head, so that a cache is decoded once for all of them. With SPLITS above 1 (few queries, many keys) it sees only its part of the keys and leaves
// the largest score, the sum of weights and the weighted sum of values in `partial`; attention_parts joins the parts.
//
// Q, K, V    formats of queries (and results), keys, values: a cache may be f32, f16, bf16, q8_0, q4_0
// HEADS      query heads for each work item; VALUES: 16 VALUES is no less than the width of a value
// SPLITS     parts of the keys
// MASK       none, bool, f32 or f16; HAS_SINKS, HAS_ALIBI, HAS_LSE, SOFTCAP
#include "shared/rows.cl"
#include "shared/blocks.cl"

#if IS_K_FLOAT
#define KEY16(row, run) ROW16(K, row, 16 * (run), k_step)
#else
#define KEY16(row, run) DECODE16(K)(row, run)
#endif
#if IS_V_FLOAT
#define VALUE16(row, run) ROW16(V, row, 16 * (run), v_step)
#else
#define VALUE16(row, run) DECODE16(V)(row, run)
#endif
inline float load_bool(global const uchar *p) { return *p ? 0 : -INFINITY; }

// The result of a query that has seen all its keys: `sum` are values times weights exp(score - most), `total` is the sum of these weights.
inline void finish(global uchar *y, const long y_step, const float16 *sum, const int value_width, float most, float total, const float sink, global uchar *lse) {
  float shrink = 1;
#if HAS_SINKS
  const float next = larger(most, sink);
  if (next != -INFINITY) {
    shrink = most == -INFINITY ? 0 : exp(most - next);
    total = total * shrink + exp(sink - next);
    most = next;
  }
#endif
  const bool is_blind = most == -INFINITY;
  for (int i = 0; i < value_width; i += 16) {
    float each[16];
    vstore16(is_blind ? (float16)0 : sum[i / 16] * shrink / total, 0, each);
    for (int j = 0; j < min(16, value_width - i); j++) STORE(Q)(y + (i + j) * y_step, each[j]);
  }
#if HAS_LSE
  store_f32(lse, is_blind ? -INFINITY : most + log(total));
#endif
}

kernel void attention(OUT(y), IN(q), IN(k), IN(v), IN(mask), IN(sinks), IN(alibi), OUT(lse), OUT(partial), const int8 extents, const long8 y_steps, const long8 q_steps,
                      const long8 k_steps, const long8 v_steps, const long8 lse_steps, const int tokens, const int keys, const int per_key_head,
                      const int width, const int value_width, const long y_token, const long y_head, const long y_step, const long q_token,
                      const long q_head, const long q_step, const long k_token, const long k_head, const long k_step, const long v_token,
                      const long v_head, const long v_step, const long mask_token, const long mask_key, const long sinks_step, const long alibi_step,
                      const long lse_token, const long lse_head, const float given_scale, const float softcap, const int causal, const int window, const int heads_in_all) {
  const int token = get_global_id(0) / SPLITS, split = get_global_id(0) % SPLITS, part = get_global_id(1), parts = (per_key_head + HEADS - 1) / HEADS;
  const uint batch = get_global_id(2);
  if (token >= tokens) return;
  const int key_head = part / parts, in_group = part % parts * HEADS, heads = min(HEADS, per_key_head - in_group), head = key_head * per_key_head + in_group;
  global const uchar *q = AT(q) + offset_of(batch, extents, q_steps) + token * q_token + head * q_head;
  global const uchar *k = AT(k) + offset_of(batch, extents, k_steps) + key_head * k_head, *v = AT(v) + offset_of(batch, extents, v_steps) + key_head * v_head;

  float16 query[HEADS][WIDTHS], sum[HEADS][VALUES];
  float most[HEADS], total[HEADS], slope[HEADS];
  for (int h = 0; h < HEADS; h++) {
    global const uchar *row = q + min(h, heads - 1) * q_head;
    for (int i = 0; i < width / 16; i++) query[h][i] = ROW16(Q, row, 16 * i, q_step);
    if (width % 16) query[h][width / 16] = PART16(Q, row, width & ~15, width, q_step);
    for (int i = 0; i < VALUES; i++) sum[h][i] = 0;
    most[h] = -INFINITY;
    total[h] = 0;
    slope[h] = HAS_ALIBI ? load_f32(AT(alibi) + (head + min(h, heads - 1)) * alibi_step) : 0;
  }
  const float scale = given_scale != 0 ? given_scale : 1 / sqrt((float)width);
  // The keys that this query may see, masks apart.
  const int at = token + keys - tokens, from = min(max(window > 0 ? at - window + 1 : 0, 0), keys), to = causal ? min(keys, at + 1) : keys;
  const int piece = (max(to - from, 0) / 16 / SPLITS + 1) * 16, begin = SPLITS > 1 ? from + split * piece : from, end = SPLITS > 1 ? min(to, begin + piece) : to;
  for (int first = begin; first < end; first += 16) {
    const int count = min(16, end - first);
    float score[HEADS][16], seen[16];
    for (int j = 0; j < 16; j++) {
      seen[j] = j < count ? 0 : -INFINITY;
#if HAS_MASK
      if (j < count) seen[j] = LOAD(MASK)(AT(mask) + token * mask_token + (first + j) * mask_key);
#endif
      if (seen[j] == -INFINITY) {
        for (int h = 0; h < HEADS; h++) score[h][j] = -INFINITY;
        continue;
      }
      global const uchar *row = k + (first + j) * k_token;
      float16 dot[HEADS];
      for (int h = 0; h < HEADS; h++) dot[h] = 0;
      for (int i = 0; i < width / 16; i++) {
        float16 key = KEY16(row, i);
        for (int h = 0; h < HEADS; h++) dot[h] = fma(query[h][i], key, dot[h]);
      }
#if IS_K_FLOAT
      if (width % 16) {
        const float16 key = PART16(K, row, width & ~15, width, k_step);
        for (int h = 0; h < HEADS; h++) dot[h] = fma(query[h][width / 16], key, dot[h]);
      }
#endif
      for (int h = 0; h < HEADS; h++) {
        float s = sum16(dot[h]) * scale;
        if (SOFTCAP) s = softcap * tanh(s / softcap);
        score[h][j] = s + seen[j] + slope[h] * (first + j - at);
      }
    }
    float weight[HEADS][16];
    bool are_hidden = false;  // keys that a score of -infinity hides from a head: not even a NaN of their values counts
    for (int h = 0; h < HEADS; h++) {
      const float16 s = vload16(0, score[h]);
      are_hidden |= any(s.lo == -INFINITY) | any(s.hi == -INFINITY);
      const float next = larger(max16(s), most[h]);
      if (next == -INFINITY) {
        for (int j = 0; j < 16; j++) weight[h][j] = 0;
        continue;
      }
      if (!(next == most[h])) {  // also when it has become NaN
        const float shrink = most[h] == -INFINITY ? 0 : exp(most[h] - next);
        total[h] *= shrink;
        for (int i = 0; i < VALUES; i++) sum[h][i] *= shrink;
        most[h] = next;
      }
      const float16 w = select(exp(s - next), (float16)0, s == -INFINITY);
      total[h] += sum16(w);
      vstore16(w, 0, weight[h]);
    }
    for (int j = 0; j < count; j++) {
      if (seen[j] == -INFINITY) continue;
      global const uchar *row = v + (first + j) * v_token;
#define ADD_VALUES(i, value)                                                                                              \
  {                                                                                                                       \
    const float16 x = value;                                                                                              \
    for (int h = 0; h < HEADS; h++)                                                                                       \
      if (!are_hidden || score[h][j] != -INFINITY) sum[h][i] = fma(x, weight[h][j], sum[h][i]);                           \
  }
      for (int i = 0; i < value_width / 16; i++) ADD_VALUES(i, VALUE16(row, i))
#if IS_V_FLOAT
      if (value_width % 16) ADD_VALUES(value_width / 16, PART16(V, row, value_width & ~15, value_width, v_step))
#endif
    }
  }
  for (int h = 0; h < heads; h++) {
#if SPLITS > 1
    const long index = (((long)batch * tokens + token) * heads_in_all + head + h) * SPLITS + split;
    global float *own = (global float *)AT(partial) + index * (value_width + 2);
    own[0] = most[h];
    own[1] = total[h];
    for (int i = 0; i < value_width; i += 16) {
      float each[16];
      vstore16(sum[h][i / 16], 0, each);
      for (int j = 0; j < min(16, value_width - i); j++) own[2 + i + j] = each[j];
    }
#else
    const float sink = HAS_SINKS ? load_f32(AT(sinks) + (head + h) * sinks_step) : 0;
    finish(AT(y) + offset_of(batch, extents, y_steps) + token * y_token + (head + h) * y_head, y_step, sum[h], value_width, most[h], total[h], sink,
           AT(lse) + offset_of(batch, extents, lse_steps) + token * lse_token + (head + h) * lse_head);
#endif
  }
}

#if SPLITS > 1
// A work item joins the parts of one query row.
kernel void attention_parts(OUT(y), IN(partial), IN(sinks), OUT(lse), const int8 extents, const long8 y_steps, const long8 lse_steps, const int tokens,
                            const int heads, const int value_width, const long y_token, const long y_head, const long y_step, const long sinks_step,
                            const long lse_token, const long lse_head) {
  const int head = get_global_id(0), token = get_global_id(1);
  const uint batch = get_global_id(2);
  if (head >= heads) return;
  const int width = value_width + 2;
  global const float *parts = (global const float *)AT(partial) + (((long)batch * tokens + token) * heads + head) * SPLITS * width;
  float most = -INFINITY, total = 0;
  float16 sum[VALUES];
  for (int i = 0; i < VALUES; i++) sum[i] = 0;
  for (int s = 0; s < SPLITS; s++) most = larger(parts[s * width], most);
  for (int s = 0; s < SPLITS; s++) {
    global const float *own = parts + s * width;
    if (own[0] == -INFINITY) continue;  // it has seen nothing
    const float weight = exp(own[0] - most);
    total = fma(own[1], weight, total);
    for (int i = 0; i < value_width / 16; i++) sum[i] = fma(vload16(i, own + 2), weight, sum[i]);
    if (value_width % 16) {
      float each[16];
      for (int j = 0; j < 16; j++) each[j] = (value_width & ~15) + j < value_width ? own[2 + (value_width & ~15) + j] : 0;
      sum[value_width / 16] = fma(vload16(0, each), weight, sum[value_width / 16]);
    }
  }
  finish(AT(y) + offset_of(batch, extents, y_steps) + token * y_token + head * y_head, y_step, sum, value_width, most, total,
         HAS_SINKS ? load_f32(AT(sinks) + head * sinks_step) : 0, AT(lse) + offset_of(batch, extents, lse_steps) + token * lse_token + head * lse_head);
}
#endif
