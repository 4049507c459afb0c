#include "row_variances.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// All values are differences from that of the top class: they are small where the row is nearly uniform, and keep
// their digits there. Nor does the variance cancel: it is at least p_top times the mean square of the differences.

// Positive entries that differ by less, relative to the largest (of logits: by less), are equal but for rounding.
template <class T>
constexpr T kRounding = 4 * (sizeof(T) == 4 ? T(__FLT_EPSILON__) : T(__DBL_EPSILON__));

// exp(u) - 1 for u <= 0, where `e` is exp(u): near 0 by the polynomial of exp_lanes, from which 1 is left out.
template <class V>
CALIBRANT_INLINE V minus_one(V u, V e) {
  using R = Real<V>;
  const V near = (polynomial<V>(R::kExp, u) * u + R::all(1)) * u;
  return where_greater(u, R::all(-0.34f), near, e - R::all(1));
}
CALIBRANT_INLINE d8 minus_one(d8 u, d8 e) { return {minus_one(u.lo, e.lo), minus_one(u.hi, e.hi)}; }

// log(x / top) of probabilities up to `top`; of 0 a finite number.
template <class T>
CALIBRANT_INLINE Group<T> log_ratio(Group<T> x, T top) {
  const Group<T> scale = splat(top), tiny = splat(sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__));
  const Group<T> far = log_lanes(larger(x / scale, tiny)), half = scale * splat(T(0.5));
  return where_greater(x, half, log1p_lanes((larger(x, half) - scale) / scale), far);
}

// The weight of a class, p or exp(z - top), and how far its v lies above that of the top class (of logits and without
// logs: times the sum of the weights). What lies past the end of a row has weight 0 and a finite value.
template <class T>
struct Entries {
  Group<T> weight;
  d8 value;
};
template <bool Logits, bool Logs, class T>
CALIBRANT_INLINE Entries<T> entries(Group<T> x, T top) {
  if (Logits) {
    const Group<T> u = larger(x - splat(top), splat(T(-1e4)));  // below, the exponential is 0
    const Group<T> e = exp_lanes(u);
    return {e, widen(Logs ? u : minus_one(u, e))};
  }
  return {x, Logs ? widen(log_ratio<T>(x, top)) : widen(x) - widen(splat(top))};
}
template <bool Logits, bool Logs>
CALIBRANT_INLINE double entry(double x, double top) {
  if (Logits) return Logs ? x - top : ::expm1(x - top);
  if (!Logs) return x - top;
  return x > 0.5 * top ? ::log1p((x - top) / top) : ::log(x / top);
}

// The smallest entry whose weight is not 0, or whose exponential is at least about the smallest normal number.
template <bool Logits, class T>
CALIBRANT_INLINE T least_positive(const T* row, Index k, T top) {
  const Group<T> highest = splat(top), none = splat(Logits ? top - T(sizeof(T) == 4 ? 87 : 708) : T(0));
  Group<T> low = highest;
  for_groups(row, k, top, [&](Index, Group<T> x) { low = smaller(where_greater(x, none, x, highest), low); });
  return smallest<T>(low);
}

template <bool Logits, bool Logs, class T>
CALIBRANT_INLINE void one_row(const VarianceTask<T>& task, Index i) {
  const T* row = task.scores + i * task.k;
  const T top = row[task.top[i]], label = row[task.labels[i]];
  d8 total = splat(0.0), first = total, second = total;
  for_groups(row, task.k, Logits ? -kInfinity<T> : T(0), [&](Index j, Group<T> x) {
    prefetch(row + j);
    const Entries<T> e = entries<Logits, Logs, T>(x, top);
    const d8 w = widen(e.weight), d = w * e.value;
    total += w;
    first += d;
    second += d * e.value;
  });
  const double sum_of_weights = sum(total), mean = sum(first) / sum_of_weights;
  const double unit = Logits && !Logs ? 1 / sum_of_weights : 1, gap = mean - entry<Logits, Logs>(label, top);
  const T equal = kRounding<T> * (Logits ? T(1) : top);
  const bool uniform = top - least_positive<Logits>(row, task.k, top) <= equal;
  task.excess[i] = uniform && top - label <= equal ? 0 : unit * gap;
  task.variance[i] = uniform ? 0 : unit * unit * (sum(second) / sum_of_weights - mean * mean);
}

template <bool Logits, bool Logs, class T>
void variances(const VarianceTask<T>& task, Index first, Index last) {
  for (Index i = first; i < last; ++i) one_row<Logits, Logs>(task, i);
}

template <class T>
void variances_any(const VarianceTask<T>& task, Index first, Index last) {
  if (task.logits && task.logs) return variances<true, true>(task, first, last);
  if (task.logits) return variances<true, false>(task, first, last);
  if (task.logs) return variances<false, true>(task, first, last);
  variances<false, false>(task, first, last);
}

}  // namespace

void row_variances(const VarianceTask<float>& task, Index first, Index last) { variances_any(task, first, last); }
void row_variances(const VarianceTask<double>& task, Index first, Index last) { variances_any(task, first, last); }

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
