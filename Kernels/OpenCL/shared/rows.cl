// Work on rows: a group of GROUP work items shares one, 16 elements at a time. Steps between elements are any.
#include "shared/values.cl"

// Elements i … i+15 of a row.
#define ROW16(format, row, i, step) ((step) == SIZE(format) ? LOAD16(format)((row) + (long)(i) * SIZE(format)) : JOIN(row16_, format)(row, i, step))
#define DEFINE_ROW16(format)                                                                                              \
  inline float16 row16_##format(global const uchar *row, int i, long step) {                                              \
    float v[16];                                                                                                          \
    for (int j = 0; j < 16; j++) v[j] = load_##format(row + (i + j) * step);                                              \
    return vload16(0, v);                                                                                                 \
  }                                                                                                                       \
  inline float16 part16_##format(global const uchar *row, int i, int n, long step) {                                      \
    float v[16];                                                                                                          \
    for (int j = 0; j < 16; j++) v[j] = i + j < n ? load_##format(row + (i + j) * step) : 0;                              \
    return vload16(0, v);                                                                                                 \
  }                                                                                                                       \
  inline void put16_##format(global uchar *row, int i, long step, float16 value) {                                        \
    if (step == size_##format) {                                                                                          \
      store16_##format(row + (long)i * step, value);                                                                      \
      return;                                                                                                             \
    }                                                                                                                     \
    float v[16];                                                                                                          \
    vstore16(value, 0, v);                                                                                                \
    for (int j = 0; j < 16; j++) store_##format(row + (i + j) * step, v[j]);                                              \
  }
// Of a row of n: what is beyond it is 0.
#define PART16(format, row, i, n, step) JOIN(part16_, format)(row, i, n, step)
#define PUT16(format, row, i, step, value) JOIN(put16_, format)(row, i, step, value)
DEFINE_ROW16(f32)
DEFINE_ROW16(f16)
DEFINE_ROW16(bf16)

// What a work item of the group does in turn.
#define FOR_RUNS(i, n) int i = 16 * (int)get_local_id(0); for (; i + 16 <= (n); i += 16 * GROUP)
// The elements that are left when the last run is not whole: one work item's.
#define FOR_REST(i, n) if (get_local_id(0) == 0) for (int i = (n) & ~15; i < (n); i++)

#if GROUP > 1
#define GROUP_MEMORY local float group_memory[GROUP];
// A value of each work item, combined for all.
#define DEFINE_GROUP(name, both)                                                                                          \
  inline float name(float v, local float *memory) {                                                                       \
    int id = get_local_id(0);                                                                                             \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                         \
    memory[id] = v;                                                                                                       \
    for (int half_of = GROUP / 2; half_of > 0; half_of /= 2) {                                                            \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                                       \
      if (id < half_of) memory[id] = both(memory[id], memory[id + half_of]);                                              \
    }                                                                                                                     \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                         \
    return memory[0];                                                                                                     \
  }
#define PLUS(a, b) ((a) + (b))
DEFINE_GROUP(group_sum_in, PLUS)
DEFINE_GROUP(group_max_in, larger)
#define GROUP_SUM(v) group_sum_in(v, group_memory)
#define GROUP_MAX(v) group_max_in(v, group_memory)
#else
#define GROUP_MEMORY
#define GROUP_SUM(v) (v)
#define GROUP_MAX(v) (v)
#endif
