#include "../columns/isotonic.h"

#include "../runtime/pool.h"
#include "bindings.h"
#include "score_columns.h"

namespace calibrant {
namespace {

using SoftLabels = std::optional<Matrix<const double>>;
constexpr Index kColumns = 16;  // of a block: the knots are put together in the order of the blocks

// What one block of columns leaves.
struct Knots {
  std::vector<std::int64_t> counts;
  std::vector<double> centres, levels;
};

// One thread's memory: columns, and what belongs to each row of the one that is fitted.
template <class T>
struct Worker {
  Columns<T, T> columns;
  IsotonicFitter<T> fitter;
  std::vector<double> others, outcomes;

  Worker(const Scores<T>& scores, const IsotonicRule& rule)
      : columns(scores, 0.0), fitter(rule), others(scores.n), outcomes(scores.n) {}

  void fit(const Scores<T>& scores, const RowsOfLabels& rows, const double* soft, Index c, const T* p, Knots& out) {
    for (Index i = 0; i < scores.n; ++i) {
      if (static_cast<double>(p[i]) > kNearOne) others[i] = scores.others(i, c);
      outcomes[i] = soft ? soft[i * scores.k + c] : 0.0;
    }
    for (Index r = rows.first[c]; !soft && r < rows.first[c + 1]; ++r) outcomes[rows.rows[r]] = 1;
    const std::size_t before = out.centres.size();
    fitter.fit({p, others.data(), outcomes.data(), scores.weights, scores.n}, out.centres, out.levels);
    out.counts.push_back(static_cast<std::int64_t>(out.centres.size() - before));
  }
};

template <class T>
std::vector<Knots> fit_columns(const Scores<T>& scores, const RowsOfLabels& rows, const double* soft,
                               const IsotonicRule& rule, int threads) {
  const Index width = std::min(Columns<T, T>::width(scores), kColumns), blocks = (scores.k + width - 1) / width;
  std::vector<Knots> knots(blocks);
  const int used = scores.n * scores.k < kSerialEntries ? 1 : std::max(threads, 1);
  std::vector<Worker<T>> workers(used, Worker<T>(scores, rule));
  run_blocks(static_cast<int>(blocks), used, [&](int block, int slot) {
    const Index first = block * width, count = std::min(width, scores.k - first);
    workers[slot].columns.read(first, count);
    for (Index c = 0; c < count; ++c) {
      workers[slot].fit(scores, rows, soft, first + c, workers[slot].columns.values(c), knots[block]);
    }
  });
  return knots;
}

using Array = nb::ndarray<nb::numpy, double, nb::ndim<1>>;

// One array of a part of all blocks, in their order.
Array joined(const std::vector<Knots>& knots, std::vector<double> Knots::* part) {
  auto* all = new std::vector<double>;
  const nb::capsule owner(all, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
  for (const Knots& each : knots) all->insert(all->end(), (each.*part).begin(), (each.*part).end());
  return Array(all->data(), {all->size()}, owner);
}

// Leaves the number of knots of each class in `counts`, and returns (centres, levels).
template <class T>
nb::tuple isotonic_knots(Matrix<const T> values, Maybe<const double> weights, Vector<const std::int64_t> labels,
                         SoftLabels soft, double smoothing, bool odds, int threads, Vector<std::int64_t> counts) {
  const Index n = static_cast<Index>(values.shape(0)), k = static_cast<Index>(values.shape(1));
  const Scores<T> scores{values.data(), n, k, nullptr, pointer(weights)};
  std::vector<Knots> knots;
  {
    nb::gil_scoped_release release;
    const RowsOfLabels rows(labels, k);
    knots = fit_columns(scores, rows, soft ? soft->data() : nullptr, {smoothing, odds}, threads);
    std::int64_t* at = counts.data();
    for (const Knots& each : knots) at = std::copy(each.counts.begin(), each.counts.end(), at);
  }
  return nb::make_tuple(joined(knots, &Knots::centres), joined(knots, &Knots::levels));
}

template <class T>
void define(nb::module_& m) {
  m.def("isotonic_knots", &isotonic_knots<T>, nb::arg("scores").noconvert(), nb::arg("weights").noconvert().none(),
        nb::arg("labels").noconvert(), nb::arg("soft").noconvert().none(), nb::arg("smoothing"), nb::arg("odds"),
        nb::arg("threads"), nb::arg("counts").noconvert());
}

}  // namespace

void bind_isotonic(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
