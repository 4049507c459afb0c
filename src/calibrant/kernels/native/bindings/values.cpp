#include "../clones/values.h"

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

// Writes the sums of all blocks and copies, in order, as planes (kValueCell, bins).
void reduce(const std::vector<double>& cells, Index bins, double* planes) {
  const Index copy = bins * kValueCell;
  for (Index start = 0; start < static_cast<Index>(cells.size()); start += copy) {
    for (Index c = 0; c < copy; ++c) planes[c % kValueCell * bins + c / kValueCell] += cells[start + c];
  }
}

template <class T, class Q>
void bin_column(Vector<const T> values, Vector<const Q> outcomes, Maybe<const double> weights,
                Vector<const double> edges, double rate, bool right, int threads, Matrix<double> planes) {
  ValueTask<T, Q> task{};
  task.values = values.data();
  task.outcomes = outcomes.data();
  task.weights = pointer(weights);
  task.edges = edges.data();
  task.bins = static_cast<Index>(edges.size()) - 1;
  task.rate = rate;
  task.right = right;
  const Index size = kValueCopies * kValueCell * task.bins;
  const Blocks blocks = cut_rows(static_cast<Index>(values.size()), 1, size * static_cast<Index>(sizeof(double)));
  std::vector<double> cells(blocks.count * size);
  run_blocks(blocks.count, threads, [&](int block, int) {
    CALIBRANT_CALL_CLONE(bin_values, task, blocks.first(block), blocks.last(block), cells.data() + block * size);
  });
  reduce(cells, task.bins, planes.data());
}

template <class T, class Q>
void define(nb::module_& m) {
  m.def("bin_values", &bin_column<T, Q>, nb::arg("values").noconvert(), nb::arg("outcomes").noconvert(),
        nb::arg("weights").noconvert().none(), nb::arg("edges").noconvert(), nb::arg("rate"), nb::arg("right"),
        nb::arg("threads"), nb::arg("planes").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_values(nb::module_& m) {
  define<float, float>(m);
  define<float, double>(m);
  define<float, std::uint8_t>(m);
  define<double, float>(m);
  define<double, double>(m);
  define<double, std::uint8_t>(m);
}

}  // namespace calibrant
