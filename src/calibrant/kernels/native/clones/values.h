// A histogram of one column of values with their outcomes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

constexpr std::ptrdiff_t kValueCell = 4;     // (rows, weight, weight * value, weight * outcome)
constexpr std::ptrdiff_t kValueCopies = 4;   // neighbouring values go to different copies: they rarely wait

template <class T, class Q>
struct ValueTask {
  const T* values;
  const Q* outcomes;
  const double* weights;
  const double* edges;
  std::ptrdiff_t bins;
  double rate;  // bins a unit where the edges are about equally spaced, else 0
  bool right;
};

// Adds values first..last-1 to `cells`, (kValueCopies, bins, kValueCell) doubles.
#define CALIBRANT_BIN_VALUES(T, Q) \
  void bin_values(const ValueTask<T, Q>& task, std::ptrdiff_t first, std::ptrdiff_t last, double* cells);
CALIBRANT_DECLARE_CLONES(CALIBRANT_BIN_VALUES(float, float) CALIBRANT_BIN_VALUES(float, double)
                             CALIBRANT_BIN_VALUES(float, std::uint8_t) CALIBRANT_BIN_VALUES(double, float)
                                 CALIBRANT_BIN_VALUES(double, double) CALIBRANT_BIN_VALUES(double, std::uint8_t))
#undef CALIBRANT_BIN_VALUES

}  // namespace calibrant
