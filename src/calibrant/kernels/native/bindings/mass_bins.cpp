#include "../columns/mass_bins.h"

#include "../runtime/pool.h"
#include "bindings.h"
#include "score_columns.h"

namespace calibrant {
namespace {

struct Output {
  Matrix<double> edges;                                                     // (k, bins + 1)
  nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu> planes;  // (kFields + 1, k, bins)

  double& at(Index field, Index c, Index b) const {
    return planes.data()[(field * planes.shape(1) + c) * planes.shape(2) + b];
  }
};

template <class T, class V>
void write(const Scores<T>& scores, const RowsOfLabels& labels, const MassCells& cells, Index c, const Output& out) {
  std::copy(cells.edges.begin(), cells.edges.end(), out.edges.data() + c * cells.edges.size());
  for (std::size_t e = 0; e < cells.sums.size(); ++e) {
    out.at(e % MassCells::kFields, c, e / MassCells::kFields) = cells.sums[e];
  }
  for (Index r = labels.first[c]; r < labels.first[c + 1]; ++r) {
    const double p = static_cast<double>(scores.template probability<V>(labels.rows[r], c));
    if (p >= cells.edges[0]) out.at(MassCells::kFields, c, cells.bin(p)) += scores.weight(labels.rows[r]);
  }
}

template <class T, class V>
void cut_columns(const Scores<T>& scores, const RowsOfLabels& labels, const MassRule& rule, int threads,
                 const Output& out) {
  const Index width = Columns<T, V>::width(scores), blocks = (scores.k + width - 1) / width;
  std::vector<Columns<T, V>> columns(std::max(threads, 1), Columns<T, V>(scores, rule.threshold));
  std::vector<MassCutter<V>> cutters(columns.size(), MassCutter<V>(rule));
  run_blocks(static_cast<int>(blocks), scores.n * scores.k < kSerialEntries ? 1 : threads, [&](int block, int slot) {
    const Index first = block * width, count = std::min(width, scores.k - first);
    columns[slot].read(first, count);
    for (Index c = 0; c < count; ++c) {
      const auto column = columns[slot].column(c);
      write<T, V>(scores, labels, cutters[slot].cut(column.scores, column.weights, column.size), first + c, out);
    }
  });
}

template <class T>
void mass_bins(Matrix<const T> values, Maybe<const double> log_normalizer, Maybe<const double> weights,
               Vector<const std::int64_t> labels, double threshold, double unit, int threads, Matrix<double> edges,
               nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu> planes) {
  const Index n = static_cast<Index>(values.shape(0)), k = static_cast<Index>(values.shape(1));
  const Scores<T> scores{values.data(), n, k, pointer(log_normalizer), pointer(weights)};
  const MassRule rule{static_cast<Index>(planes.shape(2)), unit, threshold};
  const RowsOfLabels rows(labels, k);
  const Output out{edges, planes};
  if (log_normalizer) return cut_columns<T, double>(scores, rows, rule, threads, out);
  cut_columns<T, T>(scores, rows, rule, threads, out);
}

template <class T>
void define(nb::module_& m) {
  m.def("mass_bins", &mass_bins<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("weights").noconvert().none(), nb::arg("labels").noconvert(), nb::arg("threshold"), nb::arg("unit"),
        nb::arg("threads"), nb::arg("edges").noconvert(), nb::arg("planes").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_mass_bins(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
