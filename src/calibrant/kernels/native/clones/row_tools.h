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
template <class T>
CALIBRANT_INLINE Range<T> row_range(const T* row, Index k) {
  constexpr Index kChains = 4;  // one would wait for itself
  Group<T> low[kChains], high[kChains];
  for (Index c = 0; c < kChains; ++c) low[c] = splat(kInfinity<T>), high[c] = splat(-kInfinity<T>);
  Index j = 0;
  for (; j + kChains * kLanes <= k; j += kChains * kLanes) {
    for (Index c = 0; c < kChains; ++c) {
      const Group<T> x = load(row + j + c * kLanes);
      low[c] = smaller(x, low[c]);
      high[c] = larger(x, high[c]);
    }
  }
  for_groups(row + j, k - j, -kInfinity<T>, [&](Index, Group<T> x) { high[0] = larger(x, high[0]); });
  for_groups(row + j, k - j, kInfinity<T>, [&](Index, Group<T> x) { low[0] = smaller(x, low[0]); });
  return {smallest<T>(smaller(smaller(low[0], low[1]), smaller(low[2], low[3]))),
          largest<T>(larger(larger(high[0], high[1]), larger(high[2], high[3])))};
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
    if (any4(equal_mask(load(row + j), wanted) | equal_mask(load(row + j + kLanes), wanted))) break;
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

// How many entries lie above `value`, and how many at or above it.
struct Counts {
  Index above, at_least;
};
template <class T>
CALIBRANT_INLINE Counts count_above(const T* row, Index k, T value) {
  Counter<T> counter{};
  for_groups(row, k, T(__builtin_nan("")), [&](Index, Group<T> x) { counter.add(x, splat(value)); });
  return {sum(counter.above), sum(counter.at_least)};
}

// How many entries of row[0..last-1] equal `value`: nearly always none, which is found out fast.
template <class T>
CALIBRANT_INLINE Index count_equal(const T* row, Index last, T value) {
  Index count = 0;
  for (Index j = first_equal(row, last, value); j < last; ++j) count += row[j] == value;
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
