#include "elementwise.h"

#include "fastmath.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

template <class T>
void apply_any(Function function, const T* in, T* out, Index n) {
  for_groups(in, n, T(1), [&](Index j, Group<T> x) {
    const Group<T> y = function == Function::exp   ? exp_lanes(x)
                       : function == Function::log ? log_lanes(x)
                                                   : log1p_lanes(x);
    if (n - j < kLanes) return store_part(out + j, y, n - j);
    store(out + j, y);
  });
}

using s8 = int16_t __attribute__((vector_size(16)));

// Sign, exponent and fraction move to their places; a product corrects the exponent, which counts from 15 in a half and
// from 127 in a float, also of subnormals. What then lies beyond the largest half is infinite or not a number.
CALIBRANT_INLINE f8 widen_group(const uint16_t* from) {
  const i8 bits = (__builtin_convertvector(read<s8>(from), i8) << 13) & -0x70002000;
  const f8 value = (f8)bits * splat(0x1p112f), largest = splat(65504.0f);
  return (f8)((i8)value | (((value > largest) | (value < -largest)) & 0x7f800000));
}

}  // namespace

void widen_halves(const uint16_t* in, float* out, Index n) {
  Index j = 0;
  for (; j + kLanes <= n; j += kLanes) store(out + j, widen_group(in + j));
  if (j == n) return;
  uint16_t last[kLanes] = {};
  for (Index l = j; l < n; ++l) last[l - j] = in[l];
  const f8 group = widen_group(last);
  memcpy(out + j, &group, (n - j) * sizeof(float));
}

void apply(Function function, const float* in, float* out, Index n) { apply_any(function, in, out, n); }
void apply(Function function, const double* in, double* out, Index n) { apply_any(function, in, out, n); }

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
