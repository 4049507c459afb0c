#include "logistic.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// 1 - p of the entry in column c, where p > 1/2: of logits as the sum of the other probabilities, which loses nothing.
template <class T>
double complement(const AffineTask<T>& task, Index i, Index c, T* probabilities) {
  if (!task.log_normalizer) return 1 - double(task.scores[i * task.k + c]);
  const T own = probabilities[c];
  probabilities[c] = 0;
  const double others = add_up(probabilities, task.k);
  probabilities[c] = own;
  return others;
}

template <class T>
double log_at_least(double x, double log_floor) {
  const double y = x > 0 ? ::log(x) : log_floor;
  return y > log_floor ? y : log_floor;
}

// Writes the log-odds s of row i into `odds`, padded; `probabilities` is scratch.
template <class T>
CALIBRANT_INLINE void odds_row(const AffineTask<T>& task, Index i, T* odds, T* probabilities) {
  const T* row = task.scores + i * task.k;
  const LogProbability<T> log_probability(task.log_normalizer, i, task.log_floor);
  const Group<T> one = splat(T(1)), zero = splat(T(0)), floor = splat(T(task.log_floor));
  for_groups(row, task.k, log_probability.past(), [&](Index j, Group<T> x) {
    prefetch(row + j);
    const Group<T> u = log_probability(x), p = task.log_normalizer ? exp_lanes(log_probability.shift(x)) : x;
    store(probabilities + j, p);
    store(odds + j, u - larger(log_lanes(larger(one - p, zero)), floor));
  });
  for (Index c = first_above(probabilities, 0, task.k, T(0.5)); c < task.k;
       c = first_above(probabilities, c + 1, task.k, T(0.5))) {
    const double q = complement(task, i, c, probabilities);
    const double s = double(row[c]), p_log = task.log_normalizer ? s - task.log_normalizer[i] : ::log(s);
    odds[c] = T(p_log - log_at_least<T>(q, task.log_floor));
  }
}

// log(1 + exp(a)) and its first two derivatives.
template <class V>
struct Logistic {
  V softplus, sigma, spread;
};
template <class T>
CALIBRANT_INLINE Logistic<Group<T>> logistic_of(Group<T> a) {
  using V = Group<T>;
  const V zero = splat(T(0)), one = splat(T(1));
  const V e = exp_lanes(where_greater(a, zero, zero - a, a)), r = one / (one + e);
  return {larger(a, zero) + log1p_lanes(e), where_greater(a, zero, r, e * r), e * r * r};
}

template <class T>
CALIBRANT_INLINE void add_tile(const AffineTask<T>& task, const T* odds, const double* weights, Index width,
                               double* planes) {
  for (Index j = 0; j < width; j += kLanes) {
    d8 plane[kLogisticPlanes];
    for (Index s = 0; s < kLogisticPlanes; ++s) plane[s] = load(planes + s * width + j);
    for (Index r = 0; r < kTile; ++r) {
      const Group<T> x = load(odds + r * width + j);
      const Logistic<Group<T>> f = logistic_of<T>(x * load(task.scale + j) + load(task.shift + j));
      const d8 w = splat(weights[r]), s = widen(x), sigma = w * widen(f.sigma), spread = w * widen(f.spread);
      plane[0] += w * widen(f.softplus);
      plane[1] += sigma;
      plane[2] += sigma * s;
      plane[3] += spread * s * s;
      plane[4] += spread * s;
      plane[5] += spread;
    }
    for (Index s = 0; s < kLogisticPlanes; ++s) store(planes + s * width + j, plane[s]);
  }
}

template <class T>
void logistic_any(const AffineTask<T>& task, Index first, Index last, double* planes, T* scratch) {
  const Index width = padded(task.k);
  double weights[kTile] = {};
  Index used = 0;
  for (Index i = first; i < last; ++i) {
    const double w = task.weights ? task.weights[i] : 1;
    if (w != 0) {
      odds_row(task, i, scratch + used * width, scratch + kTile * width);
      weights[used++] = w;
    }
    if (used < kTile && (i + 1 < last || used == 0)) continue;
    for (Index r = used; r < kTile; ++r) weights[r] = 0;  // rows of an earlier tile, or the zeros of a new scratch
    add_tile(task, scratch, weights, width, planes);
    used = 0;
  }
}

template <class T>
void apply_any(const AffineTask<T>& task, Index first, Index last, T* out, T* scratch) {
  for (Index i = first; i < last; ++i) {
    T *row = out + i * task.k, *odds = scratch;
    odds_row(task, i, odds, scratch + padded(task.k));
    for_groups(odds, task.k, T(0), [&](Index j, Group<T> s) {
      const Group<T> sigma = logistic_of<T>(s * load(task.scale + j) + load(task.shift + j)).sigma;
      if (task.k - j < kLanes) return store_part(row + j, sigma, task.k - j);
      store(row + j, sigma);
    });
  }
}

}  // namespace

#define CALIBRANT_LOGISTIC(T)                                                                            \
  void logistic(const AffineTask<T>& task, Index first, Index last, double* planes, T* scratch) {        \
    logistic_any(task, first, last, planes, scratch);                                                    \
  }                                                                                                      \
  void logistic_apply(const AffineTask<T>& task, Index first, Index last, T* out, T* scratch) {          \
    apply_any(task, first, last, out, scratch);                                                          \
  }
CALIBRANT_LOGISTIC(float)
CALIBRANT_LOGISTIC(double)
#undef CALIBRANT_LOGISTIC

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
