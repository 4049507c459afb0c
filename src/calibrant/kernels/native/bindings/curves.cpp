#include "../clones/curves.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "../columns/folded.h"
#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

constexpr Index kCellsPerKnot = 4;  // few cells hold two knots
constexpr Index kMostCells = Index{1} << 20;  // of a curve, unless it has more knots: 32 MB
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Steepest slope of a cell: the rounding of a place in it, at most half a unit, then stays below 5e-7 in the value.
template <class T>
constexpr double kSteepest = 1e-6 / std::numeric_limits<T>::epsilon();

template <class T>
T from_bits(Index number) {
  const auto whole = static_cast<typename CellNumber<T>::type>(number);
  T bits;
  std::memcpy(&bits, &whole, sizeof bits);
  return bits;
}

// The curves of k classes, with the cells that make their pieces fast to find.
template <class T>
class OwnedCurves {
 public:
  OwnedCurves(const Vector<const std::int64_t>& offsets, const double* knots, const double* levels,
              const double* slopes, Index k)
      : first_(k + kCurveColumns), rate_(first_), last_(first_), offset_(first_.size(), kWholeNumbers),
        threshold_(first_.size(), -kInfinity), lowest_(first_) {
    const Index curves = static_cast<Index>(offsets.size()) - 1;
    for (Index j = 0; j < offsets.data()[curves]; ++j) pieces_.push_back({knots[j], levels[j], slopes[j]});
    for (Index c = 0; c < curves; ++c) cut(c, offsets.data()[c], offsets.data()[c + 1]);
    for (Index c = curves; c < k; ++c) {  // one curve for all
      first_[c] = first_[0], rate_[c] = rate_[0], last_[c] = last_[0], offset_[c] = offset_[0];
    }
  }

  // Classes of their own curves: their values below the first knots.
  void set_ends(const std::int64_t* offsets, Index k, CurveScale scale, bool logits) {
    const bool odds = scale == CurveScale::odds;
    for (Index c = 0; c < static_cast<Index>(first_.size()); ++c) {
      const Piece& piece = pieces_[c < k ? offsets[c] : 0];
      const double knot = piece.knot;
      threshold_[c] = odds ? 1 / (1 + std::exp(-knot)) : knot;
      if (logits) threshold_[c] = odds ? -std::log1p(std::exp(-knot)) : std::log(knot);
      lowest_[c] = odds ? 1 / (1 + std::exp(-piece.level)) : piece.level;
    }
  }

  Curves<T> curves() const {
    return {first_.data(),     rate_.data(),   last_.data(),   offset_.data(),
            threshold_.data(), lowest_.data(), cells_.data(),  pieces_.data()};
  }

 private:
  // By the same arithmetic as in the kernel, so that neither a knot nor a score can be on the wrong side.
  Index cell_of(Index c, double x) const {
    const double cell = std::min(std::max((x - first_[c]) * rate_[c], 0.0), last_[c]);
    return static_cast<Index>(cell + offset_[c] - kWholeNumbers);
  }

  // Cell g of curve c. `before` is the last piece that begins in an earlier cell, or the first one; `last` the last that
  // begins in this.
  Cell<T> cell(Index c, Index g, Index before, Index last) const {
    const Piece &left = pieces_[before], &right = pieces_[last];
    const double unit = rate_[c] > 0 ? 1 / rate_[c] : 0, steepest = std::max(std::abs(left.slope), std::abs(right.slope));
    if (last > before + 1 || steepest * unit > kSteepest<T>) {
      return {std::numeric_limits<T>::quiet_NaN(), 0, from_bits<T>(before), from_bits<T>(last)};
    }
    const double middle = first_[c] + static_cast<double>(g) * unit;
    return {T(rate_[c] * (right.knot - middle)), T(right.level), T(left.slope * unit), T(right.slope * unit)};
  }

  void cut(Index c, Index first, Index last) {
    const Index knots = last - first, cells = std::max(knots, std::min(kCellsPerKnot * knots, kMostCells));
    const double range = pieces_[last - 1].knot - pieces_[first].knot;
    first_[c] = pieces_[first].knot;
    last_[c] = static_cast<double>(cells - 1);
    rate_[c] = range > 0 ? last_[c] / range : 0;
    offset_[c] = kWholeNumbers + static_cast<double>(cells_.size());
    const Index start = static_cast<Index>(cells_.size());
    Index piece = first;
    for (Index g = start; g < start + cells; ++g) {
      const Index before = piece;
      while (piece + 1 < last && cell_of(c, pieces_[piece + 1].knot) <= g) ++piece;
      cells_.push_back(cell(c, g - start, before, piece));
    }
  }

  std::vector<double> first_, rate_, last_, offset_, threshold_, lowest_;
  std::vector<Piece> pieces_;
  std::vector<Cell<T>> cells_;
};

template <class T>
void apply_all(Matrix<const T> scores, Maybe<const double> log_normalizer, int scale, double tilt,
               Vector<const std::int64_t> offsets, Vector<const double> knots, Vector<const double> levels,
               Vector<const double> slopes, int threads, Matrix<T> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  const CurveScale kind = static_cast<CurveScale>(scale);
  OwnedCurves<T> owned(offsets, knots.data(), levels.data(), slopes.data(), k);
  if (offsets.size() > 2) owned.set_ends(offsets.data(), k, kind, log_normalizer.has_value());
  const CurveTask<T> task{scores.data(), n, k, pointer(log_normalizer), kind, owned.curves(), tilt, kNearOne};
  const Blocks blocks = cut_rows(n, k, 0);
  const Index size = padded(k);
  std::vector<T> rows(std::max(threads, 1) * size);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    CALIBRANT_CALL_CLONE(apply_curves, task, blocks.first(block), blocks.last(block), out.data(),
                         rows.data() + slot * size);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("apply_curves", &apply_all<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("scale"), nb::arg("tilt"), nb::arg("offsets").noconvert(), nb::arg("knots").noconvert(),
        nb::arg("levels").noconvert(), nb::arg("slopes").noconvert(), nb::arg("threads"), nb::arg("out").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_curves(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
