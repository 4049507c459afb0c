#include "draws.h"

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// Leaves the cumulative sums of the row's probabilities; a class without probability adds exactly nothing.
template <class T>
CALIBRANT_INLINE void accumulate(const DrawTask<T>& task, Index i, double* cumulative, T* scratch) {
  const T* row = task.scores + i * task.k;
  if (task.log_normalizer) {
    const Shift<T> shift(task.log_normalizer[i]);
    for_groups(row, task.k, -kInfinity<T>, [&](Index j, Group<T> z) { store(scratch + j, exp_lanes(shift(z))); });
    row = scratch;
  }
  double total = 0;
  for (Index c = 0; c < task.k; ++c) cumulative[c] = total += double(row[c]);
}

// The number of cumulative sums at or below `level`.
CALIBRANT_INLINE Index count_below(const double* cumulative, Index k, double level) {
  Index low = 0, high = k;
  while (low < high) {
    const Index middle = (low + high) / 2;
    const bool below = cumulative[middle] <= level;
    low = below ? middle + 1 : low;
    high = below ? high : middle;
  }
  return low;
}

template <class T>
void draw_any(const DrawTask<T>& task, Index first, Index last, double* cumulative, T* scratch) {
  for (Index i = first; i < last; ++i) {
    accumulate(task, i, cumulative, scratch);
    const double total = cumulative[task.k - 1];
    for (Index r = 0; r < task.draws; ++r) {
      // u * total is below the total for every double u below 1, so there is always a class above it.
      const double level = task.uniforms[r * task.n + i] * total;
      task.labels[r * task.n + i] = int32_t(count_below(cumulative, task.k, level));
    }
  }
}

}  // namespace

void draw_labels(const DrawTask<float>& task, Index first, Index last, double* cumulative, float* scratch) {
  draw_any(task, first, last, cumulative, scratch);
}
void draw_labels(const DrawTask<double>& task, Index first, Index last, double* cumulative, double* scratch) {
  draw_any(task, first, last, cumulative, scratch);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
