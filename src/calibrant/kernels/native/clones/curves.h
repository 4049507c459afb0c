// Piecewise linear curves of every class's probability, and rows divided by their sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

// What a curve is a function of, and what its values are: log-odds and log-odds, probabilities and probabilities, or
// log-probabilities and the logarithm of what is proportional to the result.
enum class CurveScale { odds, probability, log };

// One curve: `count` knots, flat beyond them; `slopes` are those of the pieces after each knot. Its range is cut into
// `cells` cells, `rate` a unit: the knots starts[g] .. starts[g + 1] may be the last one at or below what lies in cell g.
// Up to `threshold`, the first knot as a probability or log-probability, a class of its own curve has the value `lowest`.
struct Curve {
  const double *knots, *levels, *slopes;
  std::ptrdiff_t count, cells;
  double rate, threshold, lowest;
  const std::int32_t* starts;
};

// The cell of x. Knots and arguments find theirs by the same arithmetic, so that neither can be on the wrong side.
static inline __attribute__((always_inline)) std::ptrdiff_t cell_of(const Curve& curve, double x) {
  const double most = static_cast<double>(curve.cells - 1), cell = (x - curve.knots[0]) * curve.rate;
  return static_cast<std::ptrdiff_t>(cell > 0 ? (cell < most ? cell : most) : 0);
}

// One curve for each of k classes, or `shared` by all; then `tilt` times the argument is added to it. Curves of
// log-probabilities are shared.
template <class T>
struct CurveTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  CurveScale scale;
  bool shared;
  const Curve* curves;
  double tilt, near_one;
};

// Writes rows first..last-1 of `out` (n, k); `row` is scratch for one padded row.
CALIBRANT_DECLARE_CLONES(void apply_curves(const CurveTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                           float* out, float* row);
                         void apply_curves(const CurveTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                           double* out, double* row);)

}  // namespace calibrant
