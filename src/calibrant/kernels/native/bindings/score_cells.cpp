#include "../columns/folded.h"
#include "../runtime/pool.h"
#include "bindings.h"
#include "score_columns.h"

namespace calibrant {
namespace {

constexpr int kDropped = 13;  // bits of a float's folded score: ten binary digits remain
constexpr Index kCells = (Index{2} * 0x3f000000 >> kDropped) + 1;

// Weight, weight of the labels, and sum of the smaller of p and 1 - p.
struct Cell {
  double weight, outcome, smaller;
};

template <class T>
struct CellTask {
  Scores<T> scores;
  const std::int64_t* labels;
  const double* soft;  // or null

  void add_row(Index i, Cell* cells) const {
    const T* const row = scores.values + i * scores.k;
    const double w = scores.weight(i);
    for (Index c = 0; c < scores.k; ++c) {
      const std::uint32_t key =
          Folded<float>::key(static_cast<float>(row[c]), [&] { return scores.others(i, c); });
      const auto [p, rest] = Folded<float>::pair(key);
      Cell& cell = cells[key >> kDropped];
      cell.weight += w;
      cell.smaller += w * std::min(p, rest);
      if (soft) cell.outcome += w * soft[i * scores.k + c];
      if (!soft && labels[i] == c) cell.outcome += w;
    }
  }
};

template <class T>
void score_cells(Matrix<const T> values, Maybe<const double> weights, Vector<const std::int64_t> labels,
                 std::optional<Matrix<const double>> soft, int threads, Matrix<double> planes) {
  const Index n = static_cast<Index>(values.shape(0)), k = static_cast<Index>(values.shape(1));
  const Scores<T> scores{values.data(), n, k, nullptr, pointer(weights)};
  const CellTask<T> task{scores, labels.data(), soft ? soft->data() : nullptr};
  const Blocks blocks = cut_rows(n, k, kCells * static_cast<Index>(sizeof(Cell)));
  std::vector<std::vector<Cell>> cells(blocks.count);
  run_blocks(blocks.count, threads, [&](int block, int) {
    cells[block].resize(kCells);
    for (Index i = blocks.first(block); i < blocks.last(block); ++i) task.add_row(i, cells[block].data());
  });
  double* const out = planes.data();
  for (const std::vector<Cell>& part : cells) {
    for (Index c = 0; c < kCells; ++c) {
      out[c] += part[c].weight, out[kCells + c] += part[c].outcome, out[2 * kCells + c] += part[c].smaller;
    }
  }
}

template <class T>
void define(nb::module_& m) {
  m.def("score_cells", &score_cells<T>, nb::arg("scores").noconvert(), nb::arg("weights").noconvert().none(),
        nb::arg("labels").noconvert(), nb::arg("soft").noconvert().none(), nb::arg("threads"),
        nb::arg("planes").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_score_cells(nb::module_& m) {
  define<float>(m);
  define<double>(m);
  m.attr("SCORE_CELLS") = kCells;
}

}  // namespace calibrant
