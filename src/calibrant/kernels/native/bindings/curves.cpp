#include "../clones/curves.h"

#include <cmath>

#include "../columns/folded.h"
#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

constexpr Index kCellsPerKnot = 4;  // few cells hold two knots

// The curves of all classes, with the cells that make their pieces fast to find.
class Curves {
 public:
  Curves(const Vector<const std::int64_t>& offsets, const double* knots, const double* levels, const double* slopes,
         CurveScale scale, bool logits)
      : curves_(offsets.size() - 1) {
    const std::int64_t* const at = offsets.data();
    starts_.resize(curves_.size() + kCellsPerKnot * at[curves_.size()]);
    std::int32_t* starts = starts_.data();
    for (std::size_t c = 0; c < curves_.size(); ++c) {
      const Index first = at[c], count = at[c + 1] - first, cells = kCellsPerKnot * count;
      Curve& curve = curves_[c];
      curve = {knots + first, levels + first, slopes + first, count, cells, 0, 0, 0, starts};
      const double range = curve.knots[count - 1] - curve.knots[0];
      curve.rate = range > 0 ? static_cast<double>(cells) / range : 0;
      set_end(curve, scale, logits);
      place(curve, starts);
      starts += cells + 1;
    }
  }

  const Curve* data() const { return curves_.data(); }

 private:
  static void set_end(Curve& curve, CurveScale scale, bool logits) {
    const bool odds = scale == CurveScale::odds;
    curve.threshold = odds ? 1 / (1 + std::exp(-curve.knots[0])) : curve.knots[0];
    if (logits) curve.threshold = odds ? -std::log1p(std::exp(-curve.knots[0])) : std::log(curve.knots[0]);
    curve.lowest = odds ? 1 / (1 + std::exp(-curve.levels[0])) : curve.levels[0];
  }

  // starts[g] is the last knot in a cell before g, or the first knot.
  static void place(const Curve& curve, std::int32_t* starts) {
    std::int32_t knot = 0;
    for (Index g = 0; g <= curve.cells; ++g) {
      while (knot + 1 < curve.count && cell_of(curve, curve.knots[knot + 1]) < g) ++knot;
      starts[g] = knot;
    }
  }

  std::vector<Curve> curves_;
  std::vector<std::int32_t> starts_;
};

template <class T>
void apply_all(Matrix<const T> scores, Maybe<const double> log_normalizer, int scale, double tilt,
               Vector<const std::int64_t> offsets, Vector<const double> knots, Vector<const double> levels,
               Vector<const double> slopes, int threads, Matrix<T> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  const CurveScale kind = static_cast<CurveScale>(scale);
  const Curves curves(offsets, knots.data(), levels.data(), slopes.data(), kind, log_normalizer.has_value());
  const CurveTask<T> task{scores.data(), n, k, pointer(log_normalizer), kind, offsets.size() == 2, curves.data(), tilt,
                          kNearOne};
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
