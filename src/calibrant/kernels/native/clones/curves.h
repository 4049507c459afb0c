// Piecewise linear curves of every class's probability, and rows divided by their sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

// What a curve is a function of, and what its values are: log-odds and log-odds, probabilities and probabilities, or
// log-probabilities and the logarithm of what is proportional to the result (then by one curve for all classes).
enum class CurveScale { odds, probability, log };

// From a knot on, up to the next.
struct Piece {
  double knot, level, slope;
};

// A part of the range of a curve with at most one knot: the value at x is level + slope * (x - knot), with the slope
// `before` or `after` the knot. With more knots `knot` is NaN, and `before` and `after` number the first and the last
// of the pieces that are there.
struct Cell {
  double knot, level, before, after;
};

// The curves by class: for each a number, padded by kCurveColumns. The range of a curve is cut into cells, `rate` a
// unit: x lies in cell min(max(0, (x - first) * rate), last) + offset, rounded to a whole number by the 2^52 that the
// offset holds. Before `first` a curve is flat. If no score of some neighbours, as a probability or log-probability,
// lies above `threshold`, their values are `lowest`.
struct Curves {
  const double *first, *rate, *last, *offset, *threshold, *lowest;
  const Cell* cells;
  const Piece* pieces;
};

// `tilt` times the argument is added to the curves.
template <class T>
struct CurveTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  CurveScale scale;
  Curves curves;
  double tilt, near_one;
};

constexpr std::ptrdiff_t kCurveColumns = 32;            // of a row, mapped together
constexpr double kWholeNumbers = 4503599627370496.0;  // 2^52: adding it leaves a whole number in the lowest bits

// Writes rows first..last-1 of `out` (n, k); `row` is scratch for one padded row.
CALIBRANT_DECLARE_CLONES(void apply_curves(const CurveTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                           float* out, float* row);
                         void apply_curves(const CurveTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                           double* out, double* row);)

}  // namespace calibrant
