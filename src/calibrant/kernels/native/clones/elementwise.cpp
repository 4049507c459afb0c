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

}  // namespace

void apply(Function function, const float* in, float* out, Index n) { apply_any(function, in, out, n); }
void apply(Function function, const double* in, double* out, Index n) { apply_any(function, in, out, n); }

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
