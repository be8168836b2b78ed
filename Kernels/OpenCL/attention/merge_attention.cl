// merge_attention: two parts of one attention, each with its log-sum-exp, as one. A work item a head of a token.
#include "shared/values.cl"

kernel void merge(OUT(y), IN(a), IN(a_lse), IN(b), IN(b_lse), OUT(lse), const int8 extents, const long8 y_steps, const long8 a_steps, const long8 a_lse_steps,
                  const long8 b_steps, const long8 b_lse_steps, const long8 lse_steps, const int n, const long y_step, const long a_step, const long b_step) {
  const uint index = get_global_id(0);
  const float la = load_f32(AT(a_lse) + offset_of(index, extents, a_lse_steps)), lb = load_f32(AT(b_lse) + offset_of(index, extents, b_lse_steps));
  const float most = isnan(la) || isnan(lb) ? NAN : fmax(la, lb);
  const float wa = la == -INFINITY ? 0 : exp(la - most), wb = lb == -INFINITY ? 0 : exp(lb - most), total = wa + wb;
  global uchar *y = AT(y) + offset_of(index, extents, y_steps);
  global const uchar *a = AT(a) + offset_of(index, extents, a_steps), *b = AT(b) + offset_of(index, extents, b_steps);
  for (int i = 0; i < n; i++) {
    // A part that has seen nothing counts nothing, whatever it holds.
    float va = wa == 0 ? 0 : wa / total * LOAD(X)(a + i * a_step), vb = wb == 0 ? 0 : wb / total * LOAD(X)(b + i * b_step);
    STORE(X)(y + i * y_step, isnan(most) ? NAN : va + vb);
  }
  if (HAS_LSE) store_f32(AT(lse) + offset_of(index, extents, lse_steps), most == -INFINITY ? -INFINITY : most + log(total));
}
