#include "replicates.h"

#include "class_entry.h"
#include "lanes.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

CALIBRANT_INLINE void add(double* to, d8 v) { store(to, load(to) + v); }

// Adds one row's weights to the cell of a score.
CALIBRANT_INLINE void add_score(double* cell, const double* weights, Index lanes, double score) {
  const d8 none = splat(0.0), one = splat(1.0), s = splat(score);
  for (Index l = 0; l < lanes; l += kLanes) {
    const d8 w = load(weights + l);
    add(cell + l, where_greater(w, none, one, none));
    add(cell + lanes + l, w);
    add(cell + 2 * lanes + l, w * w);
    add(cell + 3 * lanes + l, w * s);
  }
}

CALIBRANT_INLINE void add_outcome(double* cell, const double* weights, Index lanes, double outcome) {
  const d8 o = splat(outcome);
  for (Index l = 0; l < lanes; l += kLanes) add(cell + 4 * lanes + l, load(weights + l) * o);
}

template <class T>
void replicates_any(const ReplicateTask<T> task, Index first, Index last, double* cells) {
  const ClassBinTask<T> bins = task.bins;
  const Index lanes = task.lanes, size = kReplicateFields * lanes;
  for (Index i = first; i < last; ++i) {
    const double* weights = task.weights + i * lanes;
    for (Index c = 0; c < bins.k; ++c) {
      const double p = probability(bins, i, c);
      const Index bin = class_bin(bins.edges, c, p);
      if (bin < 0) continue;
      double* cell = cells + (c * bins.edges.bins + bin) * size;
      add_score(cell, weights, lanes, p);
      if (c == task.labels[i]) add_outcome(cell, weights, lanes, task.hits ? task.hits[i] : 1);
    }
  }
}

}  // namespace

void bin_replicates(const ReplicateTask<float>& task, Index first, Index last, double* cells) {
  replicates_any(task, first, last, cells);
}
void bin_replicates(const ReplicateTask<double>& task, Index first, Index last, double* cells) {
  replicates_any(task, first, last, cells);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
