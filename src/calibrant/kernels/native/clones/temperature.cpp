#include "temperature.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// Sums of e d^0, e d^1, e d^2 and e d^3 over one row, where e = exp(beta d) and d = z - max z.
struct RowSums {
  double e, ed, edd, eddd;
};

// Leaves d and e in `distances` and `weights`, which are padded. An impossible class has e = 0 and a finite d, since 0
// times -infinity is no sum.
template <class T>
CALIBRANT_INLINE void spread_row(const T* z, Index k, T top, T beta, T* distances, T* weights) {
  for_groups(z, k, -kInfinity<T>, [&](Index j, Group<T> x) {
    prefetch(z + j);
    const Group<T> d = x - splat(top);
    store(distances + j, larger(d, splat(T(-1e30))));
    store(weights + j, exp_lanes(d * splat(beta)));
  });
}

template <class T>
CALIBRANT_INLINE RowSums add_row(const T* distances, const T* weights, Index k) {
  d8 e = splat(0.0), ed = e, edd = e, eddd = e;
  for (Index j = 0; j < k; j += kLanes) {
    const d8 w = load_wide(weights + j), d = load_wide(distances + j), wd = w * d, wdd = wd * d;
    e += w;
    ed += wd;
    edd += wdd;
    eddd += wdd * d;
  }
  return {sum(e), sum(ed), sum(edd), sum(eddd)};
}

// The row whose softmax is meant: logits as they are, or the logs of probabilities, written to `scratch`.
template <class T>
CALIBRANT_INLINE const T* log_scores(const TemperatureTask<T>& task, Index i, T* scratch) {
  const T* row = task.scores + i * task.k;
  if (task.logits) return row;
  const LogProbability<T> u(nullptr, i, task.log_floor);
  for_groups(row, task.k, T(0), [&](Index j, Group<T> p) {
    prefetch(row + j);
    store(scratch + j, u(p));
  });
  return scratch;
}

template <class T>
TemperatureSums temperature_any(const TemperatureTask<T>& task, Index first, Index last, T* scratch) {
  const Index width = padded(task.k);
  TemperatureSums sums;
  for (Index i = first; i < last; ++i) {
    const double w = task.weights ? task.weights[i] : 1;
    if (w == 0) continue;
    const T* z = log_scores(task, i, scratch);
    spread_row(z, task.k, z[task.top[i]], positive<T>(task.beta), scratch + width, scratch + 2 * width);
    const RowSums row = add_row(scratch + width, scratch + 2 * width, task.k);
    const double mean = row.ed / row.e;
    // The maximum, where d = 0, has at least 1/k of the mass: the difference keeps 1/k of its terms, never a negative.
    const double variance = row.edd / row.e - mean * mean;
    const double skew = row.eddd / row.e - mean * (3 * variance + mean * mean);
    sums.loss += w * ::log(row.e);
    sums.gradient += w * mean;
    sums.curvature += w * variance;
    sums.third += w * skew;
  }
  return sums;
}

}  // namespace

TemperatureSums temperature(const TemperatureTask<float>& task, Index first, Index last, float* scratch) {
  return temperature_any(task, first, last, scratch);
}
TemperatureSums temperature(const TemperatureTask<double>& task, Index first, Index last, double* scratch) {
  return temperature_any(task, first, last, scratch);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
