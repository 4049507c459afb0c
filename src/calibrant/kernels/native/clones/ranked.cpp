#include "ranked.h"

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// The probabilities of row i: its scores, or what is left of its logits in `out`.
template <class T>
CALIBRANT_INLINE const T* probabilities_of(const RankedTask<T>& task, Index i, T* out) {
  const T* row = task.scores + i * task.k;
  if (!task.log_normalizer) return row;
  const Shift<T> shift(task.log_normalizer[i]);
  for_groups(row, task.k, -kInfinity<T>, [&](Index j, Group<T> x) { store(out + j, exp_lanes(shift(x))); });
  return out;
}

// Leaves in `below` the probabilities up to each cut point, at most 1: their sums may round above it.
template <class T>
CALIBRANT_INLINE void add_classes(const T* const (&rows)[kRankedRows], Index cuts, double* below, Index width) {
  double sums[kRankedRows] = {};
  for (Index j = 0; j < cuts; ++j) {
    for (Index r = 0; r < kRankedRows; ++r) {
      sums[r] += double(rows[r][j]);
      below[r * width + j] = sums[r] < 1 ? sums[r] : 1;
    }
  }
}

// What lies past the end counts 0: there, `below` is taken for what it should be.
CALIBRANT_INLINE double squared_gaps(const double* below, Index cuts, Index label) {
  const Index before = label < cuts ? label : cuts;
  const d8 one = splat(1.0);
  d8 total = splat(0.0);
  for_groups(below, before, 0.0, [&](Index, d8 b) { total += b * b; });
  for_groups(below + before, cuts - before, 1.0, [&](Index, d8 b) { total += (one - b) * (one - b); });
  return sum(total);
}

template <class T>
void ranked_any(const RankedTask<T>& task, Index first, Index last, double* below, T* probabilities) {
  const Index width = padded(task.k), cuts = task.k - 1;
  for (Index i = first; i < last; i += kRankedRows) {
    const T* rows[kRankedRows];
    for (Index r = 0; r < kRankedRows; ++r) {
      const Index row = i + r < last ? i + r : last - 1;  // the last one again, to fill up
      rows[r] = probabilities_of(task, row, probabilities + r * width);
    }
    add_classes(rows, cuts, below, width);
    for (Index r = 0; r < kRankedRows && i + r < last; ++r) {
      task.out[i + r] = squared_gaps(below + r * width, cuts, task.labels[i + r]);
    }
  }
}

}  // namespace

void ranked(const RankedTask<float>& task, Index first, Index last, double* below, float* probabilities) {
  ranked_any(task, first, last, below, probabilities);
}
void ranked(const RankedTask<double>& task, Index first, Index last, double* below, double* probabilities) {
  ranked_any(task, first, last, below, probabilities);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
