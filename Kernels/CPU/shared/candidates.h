// Elements of a row and their places, in the order in which topk and sample take them.
#ifndef BACKPLANE_CPU_CANDIDATES_H
#define BACKPLANE_CPU_CANDIDATES_H
#include <stdint.h>

typedef struct bp_candidate { float key; uint32_t index; } bp_candidate;

// Whether a comes before b: the larger, NaN the largest of all, then the lower index.
static inline int bp_is_before(bp_candidate a, bp_candidate b) {
  int nan_a = a.key != a.key, nan_b = b.key != b.key;
  if (nan_a != nan_b) return nan_a;
  if (!nan_a && a.key != b.key) return a.key > b.key;
  return a.index < b.index;
}

// Lets the element at `at` of a heap sink. `first_on_top`: the root comes before all others, else after all.
static inline void bp_sift(bp_candidate *heap, int64_t n, int64_t at, int first_on_top) {
  bp_candidate item = heap[at];
  for (int64_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && bp_is_before(heap[child + 1], heap[child]) == first_on_top) child++;
    if (bp_is_before(heap[child], item) != first_on_top) break;
    heap[at] = heap[child];
  }
  heap[at] = item;
}
static inline void bp_make_heap(bp_candidate *heap, int64_t n, int first_on_top) {
  for (int64_t at = n / 2; at-- > 0;) bp_sift(heap, n, at, first_on_top);
}
#endif
