// Probabilities as whole numbers in the order of their log-odds, as finely near 1 as near 0.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace calibrant {

// Above it 1 - p is found as the sum of the other probabilities; below it p tells, so that equal p are ties.
constexpr double kNearOne = 1 - 1.0 / 1024;

// Up to 1/2 the key is the bits of p; above, those of 1 - p are subtracted from twice the bits of 1/2. The smallest
// normal number stands for all below it, on both sides.
template <class V>
struct Folded {
  using Key = std::conditional_t<std::is_same_v<V, float>, std::uint32_t, std::uint64_t>;
  static constexpr V kLeast = std::numeric_limits<V>::min();
  // Scores that are this near are ties: what comes out of a softmax carries the rounding of a few operations.
  static constexpr Key kTie = std::is_same_v<V, float> ? 4 : 1 << 13;

  static Key bits(V x) {
    Key key;
    std::memcpy(&key, &x, sizeof key);
    return key;
  }
  static V number(Key key) {
    V x;
    std::memcpy(&x, &key, sizeof x);
    return x;
  }
  static Key half() { return bits(V(0.5)); }

  static Key low(V p) { return bits(p > kLeast ? p : kLeast); }
  static Key high(V rest) { return 2 * half() - low(rest); }
  // The key of p; `others` is asked for 1 - p where p is near 1.
  template <class F>
  static Key key(V p, F&& others) {
    if (p <= V(0.5)) return low(p);
    return high(static_cast<double>(p) > kNearOne ? static_cast<V>(others()) : V(1) - p);
  }

  // p and 1 - p of a key.
  struct Pair {
    double p, rest;
  };
  static Pair pair(Key key) {
    if (key <= half()) {
      const double p = static_cast<double>(number(key));
      return {p, 1 - p};
    }
    const double rest = static_cast<double>(number(2 * half() - key));
    return {1 - rest, rest};
  }
};

}  // namespace calibrant
