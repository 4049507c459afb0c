#include "values.h"

#include "bin_search.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

template <bool Weighted, class T, class Q>
CALIBRANT_INLINE void add_value(const ValueTask<T, Q>& task, Index i, double* cells) {
  const double v = double(task.values[i]), w = Weighted ? task.weights[i] : 1;
  const Index bin = find_bin(v, task.edges, task.bins, task.right, task.rate);
  if (bin < 0 || w == 0) return;
  double* cell = cells + bin * kValueCell;
  store(cell, read<d4>(cell) + d4{1, w, w * v, w * double(task.outcomes[i])});
}

// The task is passed by value: fields of another's task would be read again after every store.
template <bool Weighted, class T, class Q>
void bin_some(const ValueTask<T, Q> task, Index first, Index last, double* cells) {
  const Index copy = task.bins * kValueCell;
  Index i = first;
  for (; i + kValueCopies <= last; i += kValueCopies) {
    for (Index c = 0; c < kValueCopies; ++c) add_value<Weighted>(task, i + c, cells + c * copy);
  }
  for (; i < last; ++i) add_value<Weighted>(task, i, cells);
}

template <class T, class Q>
void bin_any(const ValueTask<T, Q>& task, Index first, Index last, double* cells) {
  if (task.weights) return bin_some<true>(task, first, last, cells);
  bin_some<false>(task, first, last, cells);
}

}  // namespace

#define CALIBRANT_BIN_VALUES(T, Q) \
  void bin_values(const ValueTask<T, Q>& task, Index first, Index last, double* cells) { bin_any(task, first, last, cells); }
CALIBRANT_BIN_VALUES(float, float)
CALIBRANT_BIN_VALUES(float, double)
CALIBRANT_BIN_VALUES(float, uint8_t)
CALIBRANT_BIN_VALUES(double, float)
CALIBRANT_BIN_VALUES(double, double)
CALIBRANT_BIN_VALUES(double, uint8_t)
#undef CALIBRANT_BIN_VALUES

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
