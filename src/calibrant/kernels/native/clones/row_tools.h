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

// The largest entry; NaN entries are passed over, so a row of NaN and an empty row give -infinity.
template <class T>
CALIBRANT_INLINE T row_max(const T* row, Index k) {
  const Group<T> none = splat(-kInfinity<T>);
  Group<T> a = none, b = none, c = none, d = none;
  Index j = 0;
  for (; j + 4 * kLanes <= k; j += 4 * kLanes) {
    a = larger(load(row + j), a);
    b = larger(load(row + j + kLanes), b);
    c = larger(load(row + j + 2 * kLanes), c);
    d = larger(load(row + j + 3 * kLanes), d);
  }
  for_groups(row + j, k - j, -kInfinity<T>, [&](Index, Group<T> x) { a = larger(x, a); });
  return largest<T>(larger(larger(a, b), larger(c, d)));
}

// Calls f(j, group) for all groups of a row as for_groups does, and returns the smallest entry; NaN are passed over.
template <class T, class F>
CALIBRANT_INLINE T for_groups_and_min(const T* row, Index k, T past, F&& f) {
  const Index whole = k / kLanes * kLanes;
  Group<T> low = splat(kInfinity<T>);
  for (Index j = 0; j < whole; j += kLanes) {
    const Group<T> x = load(row + j);
    low = smaller(x, low);
    f(j, x);
  }
  for_groups(row + whole, k - whole, past, [&](Index j, Group<T> x) { f(whole + j, x); });
  T lowest = smallest<T>(low);
  for (Index j = whole; j < k; ++j) lowest = row[j] < lowest ? row[j] : lowest;
  return lowest;
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
