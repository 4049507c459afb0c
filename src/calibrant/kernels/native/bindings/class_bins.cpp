#include "../clones/class_bins.h"

#include "bindings.h"
#include "cells.h"

namespace calibrant {
namespace {

template <class T>
void bin_matrix(Matrix<const T> scores, Maybe<const double> log_normalizer, Maybe<const double> weights,
                std::optional<Matrix<const double>> outcomes, EdgeRows edges, Vector<const double> rates, bool right,
                bool sparse, int threads, Planes planes) {
  ClassBinTask<T> task{};
  task.scores = scores.data();
  task.n = static_cast<Index>(scores.shape(0));
  task.k = static_cast<Index>(scores.shape(1));
  task.log_normalizer = pointer(log_normalizer);
  task.weights = pointer(weights);
  task.outcomes = outcomes ? outcomes->data() : nullptr;
  task.edges = make_edges(edges, rates, right);
  task.sparse = sparse;
  const Index count = task.k * task.edges.bins, fields = cell_size(task);
  const Blocks blocks = cut_rows(task.n, task.k, count * fields * static_cast<Index>(sizeof(double)));
  BlockCells cells(blocks.count, count, fields);
  run_blocks(blocks.count, threads, [&](int block, int) {
    CALIBRANT_CALL_CLONE(bin_classes, task, blocks.first(block), blocks.last(block), nullptr, cells.start(block));
  });
  cells.write(threads, planes.data());
}

template <class T>
void bin_labels(Matrix<const T> scores, Maybe<const double> log_normalizer, Matrix<const std::int64_t> labels,
                EdgeRows edges, Vector<const double> rates, bool right, Matrix<std::int32_t> bins) {
  ClassBinTask<T> task{};
  task.scores = scores.data();
  task.n = static_cast<Index>(scores.shape(0));
  task.k = static_cast<Index>(scores.shape(1));
  task.log_normalizer = pointer(log_normalizer);
  task.edges = make_edges(edges, rates, right);
  for (std::size_t r = 0; r < labels.shape(0); ++r) {
    CALIBRANT_CALL_CLONE(bin_of_label, task, 0, task.n, labels.data() + r * task.n, bins.data() + r * task.n);
  }
}

template <class T>
void define(nb::module_& m) {
  m.def("bin_classes", &bin_matrix<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("weights").noconvert().none(), nb::arg("outcomes").noconvert().none(), nb::arg("edges").noconvert(),
        nb::arg("rates").noconvert(), nb::arg("right"), nb::arg("sparse"), nb::arg("threads"),
        nb::arg("planes").noconvert(), nb::call_guard<nb::gil_scoped_release>());
  m.def("label_bins", &bin_labels<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("labels").noconvert(), nb::arg("edges").noconvert(), nb::arg("rates").noconvert(), nb::arg("right"),
        nb::arg("bins").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_class_bins(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
