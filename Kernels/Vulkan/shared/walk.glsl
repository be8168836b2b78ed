// Where element `index` of a walk lies in an operand: extents and steps stand right-aligned in eight places, unused ones with extent 1.
#define WALK(extents, steps, index, offset)                                  \
  {                                                                          \
    uint rest_ = (index);                                                    \
    offset = 0l;                                                             \
    if (extents[6] == 1) offset = int64_t(rest_) * steps[7];                 \
    else [[dont_unroll]] for (int d_ = 7; d_ >= 0 && rest_ != 0u; d_--) {    \
      uint extent_ = uint(extents[d_]);                                      \
      offset += int64_t(rest_ % extent_) * steps[d_];                        \
      rest_ /= extent_;                                                      \
    }                                                                        \
  }
