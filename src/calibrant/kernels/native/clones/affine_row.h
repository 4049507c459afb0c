// The scaled and shifted log-probabilities of one row.
#pragma once

#include "row_tools.h"
#include "softmax.h"

namespace calibrant {
namespace CALIBRANT_CLONE {

// Writes a = scale * u + shift into `affine` and, unless it is null, u into `logs`, where an impossible class gets a
// large negative number, since 0 * -infinity is no sum. The padding of `shift` is -infinity, and so is that of
// `affine`. Returns the largest a.
template <class T>
CALIBRANT_INLINE T affine_row(const AffineTask<T>& task, Index i, T* affine, T* logs) {
  const T* row = task.scores + i * task.k;
  const LogProbability<T> log_probability(task.log_normalizer, i, task.log_floor);
  const Group<T> none = splat(-kInfinity<T>), least = splat(T(-1e30));
  Group<T> top = none;
  for_groups(row, task.k, log_probability.past(), [&](Index j, Group<T> x) {
    prefetch(row + j);
    const Group<T> u = log_probability(x);
    const Group<T> a = where_greater(u, none, u * load(task.scale + j) + load(task.shift + j), none);
    top = larger(a, top);
    store(affine + j, a);
    if (logs) store(logs + j, larger(u, least));
  });
  return largest<T>(top);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
