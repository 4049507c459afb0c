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

// A part of the range of a curve with at most one knot. The value at the place u, in units of the cell from its middle,
// is level + slope * (u - knot), with the slope `before` or `after` the knot. With more knots, and where a curve is too
// steep for this precision, `knot` is NaN, and the bits of `before` and `after` number the first and the last of the
// pieces that are there.
template <class T>
struct Cell {
  T knot, level, before, after;
};
template <class T>
struct CellNumber;
template <>
struct CellNumber<float> {
  using type = std::int32_t;
};
template <>
struct CellNumber<double> {
  using type = std::int64_t;
};

// The curves by class: for each a number, padded by kCurveColumns. The range of a curve is cut into cells, `rate` a
// unit: x lies at t = min(max(0, (x - first) * rate), last), in the cell that is t rounded to a whole number by the 2^52
// that the offset holds. If no score of some neighbours, as a probability or log-probability, lies above `threshold`,
// their values are `lowest`.
template <class T>
struct Curves {
  const double *first, *rate, *last, *offset, *threshold, *lowest;
  const Cell<T>* cells;
  const Piece* pieces;
};

// `tilt` times the argument is added to the curves.
template <class T>
struct CurveTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  CurveScale scale;
  Curves<T> curves;
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
