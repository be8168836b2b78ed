// The order of topk and sample, as pairs (key, index): what comes first has the larger key, then the lower index. Needs LOCAL.

#define BEFORE_ALL uvec2(0xffffffffu, 0u)
#define BEHIND_ALL uvec2(0u, 0xffffffffu)
bool is_before(uvec2 a, uvec2 b) { return a.x != b.x ? a.x > b.x : a.y < b.y; }

// A key that grows with x, from 1 to 0xfffffffe; NaN is the largest of all, or the last when the smallest come first. -0 is 0.
uint order_of(float x, bool largest) {
  uint u = floatBitsToUint(x);
  if (is_nan(x)) return largest ? 0xfffffffeu : 1u;
  if ((u & 0x7fffffffu) == 0u) u = 0u;
  uint key = (u >> 31) != 0u ? ~u : u | 0x80000000u; // 0x007fffff for -infinity, 0xff800000 for infinity
  return largest ? key : ~key;
}

shared uvec2 order_shared[LOCAL];
// The pair that comes before those of all other items of the group.
uvec2 first_of_all(uvec2 own_pair) {
  uint own = gl_LocalInvocationID.x;
  barrier();
  order_shared[own] = own_pair;
  for (uint half_of = uint(LOCAL) / 2u; half_of > 0u; half_of /= 2u) {
    barrier();
    if (own < half_of && is_before(order_shared[own + half_of], order_shared[own])) order_shared[own] = order_shared[own + half_of];
  }
  barrier();
  return order_shared[0];
}
