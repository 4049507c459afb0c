#include "class_bins.h"

#include <math.h>

#include "class_entry.h"
#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// Entries on their way to their cells. The cells of sparse entries lie far apart: an entry waits here while its cell
// is fetched. Order is kept, so the sums are those of adding at once.
template <bool Weighted, bool Soft>
class Additions {
 public:
  static constexpr Index kSize = 2 + Weighted + Soft;

  __attribute__((always_inline)) void add(double* cell, double p, double weight, double outcome) {
    __builtin_prefetch(cell, 1, 3);
    waiting_[count_++] = {cell, p, weight, outcome};
    if (count_ == kMost) flush();
  }
  __attribute__((always_inline)) void flush() {
    for (Index e = 0; e < count_; ++e) {
      const Entry& entry = waiting_[e];
      entry.cell[0] += 1;
      entry.cell[1] += entry.weight * entry.p;
      if (Weighted) entry.cell[2] += entry.weight;
      if (Soft) entry.cell[2 + Weighted] += entry.weight * entry.outcome;
    }
    count_ = 0;
  }

 private:
  struct Entry {
    double* cell;
    double p, weight, outcome;
  };
  static constexpr Index kMost = 16;
  Entry waiting_[kMost];
  Index count_ = 0;
};

template <bool Weighted, bool Soft, class T>
CALIBRANT_INLINE void add_entry(const ClassBinTask<T>& task, Index i, Index c, double* cells, Index first_bin,
                                Additions<Weighted, Soft>& additions) {
  const double p = probability(task, i, c);
  const Index bin = class_bin(task.edges, c, p);
  if (bin < first_bin) return;
  double* cell = cells + (c * task.edges.bins + bin) * additions.kSize;
  additions.add(cell, p, Weighted ? task.weights[i] : 1, Soft ? task.outcomes[i * task.k + c] : 0);
}

// Every score whose probability may lie above the first bin is above this; a few others are too.
template <class T>
CALIBRANT_INLINE T sparse_threshold(const ClassBinTask<T>& task, Index i, double log_edge) {
  const double t = task.log_normalizer ? task.log_normalizer[i] + log_edge : task.edges.values[1];
  const double slack = sizeof(T) == 4 ? 1e-6 : 1e-13;
  return T(t - slack * (task.log_normalizer ? 1 + ::fabs(t) : t));
}

// Calls f(j) for every entry above the threshold. Nearly all stretches have none, as `tops` or their own largest tell.
template <class T, class F>
CALIBRANT_INLINE void for_entries_above(const T* row, Index k, const T* tops, T threshold, F&& f) {
  const Group<T> t = splat(threshold);
  for (Index j = 0; j < k; j += kStretch) {
    const Index count = k - j < kStretch ? k - j : kStretch;
    if (!any4(greater_mask(tops ? load(tops + j / kStretch * kLanes) : largest_lanes(row + j, count), t))) continue;
    uint64_t above = 0;
    for_groups(row + j, count, -kInfinity<T>, [&](Index l, Group<T> x) { above |= uint64_t(bits_above(x, t)) << l; });
    for (; above; above &= above - 1) f(j + __builtin_ctzll(above));
  }
}

// The task is passed by value: fields of another's task would be read again after every store.
template <bool Weighted, bool Soft, class T>
void bin_rows(const ClassBinTask<T> task, Index first, Index last, const T* tops, double* cells) {
  const double log_edge = ::log(task.edges.values[1]);
  Additions<Weighted, Soft> additions;
  for (Index i = first; i < last; ++i) {
    if (Weighted && task.weights[i] == 0) continue;
    if (task.sparse) {
      for_entries_above(task.scores + i * task.k, task.k, tops ? tops + (i - first) * tops_of_row(task.k) : nullptr,
                        sparse_threshold(task, i, log_edge),
                        [&](Index c) { add_entry(task, i, c, cells, 1, additions); });
    } else {
      for (Index c = 0; c < task.k; ++c) add_entry(task, i, c, cells, 0, additions);
    }
  }
  additions.flush();
}

template <class T>
void bin_any(const ClassBinTask<T>& task, Index first, Index last, const T* tops, double* cells) {
  if (task.weights && task.outcomes) return bin_rows<true, true>(task, first, last, tops, cells);
  if (task.weights) return bin_rows<true, false>(task, first, last, tops, cells);
  if (task.outcomes) return bin_rows<false, true>(task, first, last, tops, cells);
  bin_rows<false, false>(task, first, last, tops, cells);
}

template <class T>
void label_any(const ClassBinTask<T>& task, Index first, Index last, const int64_t* labels, int32_t* bins) {
  for (Index i = first; i < last; ++i) {
    const Index c = labels[i];
    bins[i] = c < 0 || c >= task.k ? -1 : int32_t(class_bin(task.edges, c, probability(task, i, c)));
  }
}

}  // namespace

void bin_classes(const ClassBinTask<float>& task, Index first, Index last, const float* tops, double* cells) {
  bin_any(task, first, last, tops, cells);
}
void bin_classes(const ClassBinTask<double>& task, Index first, Index last, const double* tops, double* cells) {
  bin_any(task, first, last, tops, cells);
}
void bin_of_label(const ClassBinTask<float>& task, Index first, Index last, const int64_t* labels, int32_t* bins) {
  label_any(task, first, last, labels, bins);
}
void bin_of_label(const ClassBinTask<double>& task, Index first, Index last, const int64_t* labels, int32_t* bins) {
  label_any(task, first, last, labels, bins);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
