// What several kernels do with one row.
#pragma once

#include "fastmath.h"

namespace calibrant {
namespace CALIBRANT_CLONE {

template <class T>
constexpr T kInfinity = T(__builtin_huge_val());

// A number to subtract from entries of type T, in two parts: one rounding to T would cost 1e-6 of a float's logit.
template <class T>
struct Shift {
  T high, low;
  explicit Shift(double x) : high(T(x)), low(T(x - double(T(x)))) {}
  Group<T> operator()(Group<T> x) const { return (x - splat(high)) - splat(low); }
};

// The smallest and the largest entry; NaN entries are passed over: a row of nothing else gives infinity and -infinity.
template <class T>
struct Range {
  T lowest, top;
};

// A row is searched in stretches: the largest entries of each, lane by lane, tell which stretch can hold a score.
constexpr Index kStretch = 8 * kLanes;
constexpr Index tops_of_row(Index k) { return (k + kStretch - 1) / kStretch * kLanes; }

template <class T>
CALIBRANT_INLINE Group<T> largest_lanes(const T* row, Index k) {
  Group<T> high = splat(-kInfinity<T>);
  for_groups(row, k, -kInfinity<T>, [&](Index, Group<T> x) { high = larger(x, high); });
  return high;
}

// Calls f(j, group) for all groups of a row as for_groups does, finds its range, and leaves the largest entries of
// each stretch, kLanes of them, in `tops` if that is not null.
template <class T, class F>
CALIBRANT_INLINE Range<T> for_groups_and_range(const T* row, Index k, T past, T* tops, F&& f) {
  const Group<T> least = splat(-kInfinity<T>);
  Group<T> low[2] = {splat(kInfinity<T>), splat(kInfinity<T>)}, top = least;
  const auto keep = [&](Index stretch, Group<T> high) {
    if (tops) store(tops + stretch * kLanes, high);
    top = larger(high, top);
  };
  Index j = 0;
  for (; j + kStretch <= k; j += kStretch) {
    Group<T> high[2] = {least, least};  // two chains: one would wait for itself
#pragma GCC unroll 8
    for (Index g = 0; g < kStretch / kLanes; ++g) {
      const Group<T> x = load(row + j + g * kLanes);
      low[g % 2] = smaller(x, low[g % 2]);
      high[g % 2] = larger(x, high[g % 2]);
      f(j + g * kLanes, x);
    }
    keep(j / kStretch, larger(high[0], high[1]));
  }
  if (j < k) {
    for_groups(row + j, k - j, kInfinity<T>, [&](Index, Group<T> x) { low[0] = smaller(x, low[0]); });
    for_groups(row + j, k - j, past, [&](Index l, Group<T> x) { f(j + l, x); });
    keep(j / kStretch, largest_lanes(row + j, k - j));
  }
  return {smallest<T>(smaller(low[0], low[1])), largest<T>(top)};
}
template <class T>
CALIBRANT_INLINE Range<T> row_range(const T* row, Index k, T* tops = nullptr) {
  return for_groups_and_range(row, k, T(0), tops, [](Index, Group<T>) {});
}
template <class T>
CALIBRANT_INLINE T row_max(const T* row, Index k) {
  return row_range(row, k).top;
}

// The first column that holds `value`, or k.
template <class T>
CALIBRANT_INLINE Index first_equal(const T* row, Index k, T value) {
  const Group<T> wanted = splat(value);
  Index j = 0;
  for (; j + 2 * kLanes <= k; j += 2 * kLanes) {
    const Group<T> x = load(row + j), y = load(row + j + kLanes);
    if (!any4(equal_mask(x, wanted) | equal_mask(y, wanted))) continue;
    return j + __builtin_ctz(bits_equal(x, wanted) | bits_equal(y, wanted) << kLanes);
  }
  while (j < k && row[j] != value) ++j;
  return j;
}

// The first column from `first` on whose entry lies above `value`, or k.
template <class T>
CALIBRANT_INLINE Index first_above(const T* row, Index first, Index k, T value) {
  const Group<T> v = splat(value);
  Index j = first;
  for (; j + 2 * kLanes <= k; j += 2 * kLanes) {
    if (any4(greater_mask(load(row + j), v) | greater_mask(load(row + j + kLanes), v))) break;
  }
  while (j < k && !(row[j] > value)) ++j;
  return j;
}

template <class T>
CALIBRANT_INLINE Index count_above(const T* row, Index k, T value) {
  Counter<T> counter{};
  for_groups(row, k, T(__builtin_nan("")), [&](Index, Group<T> x) { counter.add(x, splat(value)); });
  return sum(counter.count);
}
template <class T>
CALIBRANT_INLINE Index count_equal(const T* row, Index k, T value) {
  Index count = 0;
  for (Index j = first_equal(row, k, value); j < k; ++j) count += row[j] == value;
  return count;
}

// The first column that holds `top`, the largest entry, given what for_groups_and_range left.
template <class T>
CALIBRANT_INLINE Index first_top(const T* row, Index k, T top, const T* tops) {
  const Index j = first_equal(tops, tops_of_row(k), top) / kLanes * kStretch;
  return j + first_equal(row + j, k - j, top);
}

// How many columns come before `label` in falling order: a larger entry, or the same one further left.
template <class T>
CALIBRANT_INLINE Index columns_before(const T* row, Index k, Index label, const T* tops) {
  const T score = row[label];
  Index count = 0;
  for (Index j = 0; j < k; j += kStretch, tops += kLanes) {
    if (!any4(at_least_mask(load(tops), splat(score)))) continue;
    count += count_above(row + j, k - j < kStretch ? k - j : kStretch, score);
    if (j < label) count += count_equal(row + j, label - j < kStretch ? label - j : kStretch, score);
  }
  return count;
}

// The sum and the sum of squares of k entries, padded with zeros to whole groups; two chains of sums, since one
// would wait for its own additions.
template <class T>
CALIBRANT_INLINE void add_up(const T* row, Index k, double* total, double* squares) {
  d8 s[2] = {splat(0.0), splat(0.0)}, q[2] = {splat(0.0), splat(0.0)};
  for (Index j = 0; j < k; j += 2 * kLanes) {
    for (Index l = 0; l < 2 && j + l * kLanes < k; ++l) {
      const d8 x = load_wide(row + j + l * kLanes);
      s[l] += x;
      q[l] += x * x;
    }
  }
  *total = sum(s[0] + s[1]);
  *squares = sum(q[0] + q[1]);
}
template <class T>
CALIBRANT_INLINE double add_up(const T* row, Index k) {
  double total, squares;
  add_up(row, k, &total, &squares);
  return total;
}

// A scale of 0 as the smallest one that is not: 0 times the -infinity of an impossible class would be NaN.
template <class T>
CALIBRANT_INLINE T positive(double scale) {
  const T smallest = sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__);
  return T(scale) > smallest ? T(scale) : smallest;
}

// Leaves exp(scale * (x - top)) of each entry x in `out`, padded to whole groups, and returns the sum. `top` is the
// largest entry, and scale is positive.
template <class T>
CALIBRANT_INLINE double exponentials(const T* row, Index k, T top, T scale, T* out) {
  for_groups(row, k, -kInfinity<T>, [&](Index j, Group<T> x) {
    prefetch(row + j);
    store(out + j, exp_lanes((x - splat(top)) * splat(scale)));
  });
  return add_up(out, k);
}

// How scores become log-probabilities u: z - log_normalizer of logits, log p of probabilities, both at least `floor`
// (a logarithm; -infinity for none).
template <class T>
struct LogProbability {
  bool logits;
  Shift<T> shift;
  T floor;
  LogProbability(const double* log_normalizer, Index i, double log_floor)
      : logits(log_normalizer != nullptr), shift(log_normalizer ? log_normalizer[i] : 0), floor(T(log_floor)) {}
  Group<T> operator()(Group<T> x) const { return larger(logits ? shift(x) : log_lanes(x), splat(floor)); }
  // What lies past the end of a row: the score of an impossible class.
  T past() const { return logits ? -kInfinity<T> : T(0); }
};

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
