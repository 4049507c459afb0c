#include "../clones/replicates.h"

#include "bindings.h"
#include "cells.h"

namespace calibrant {
namespace {

using Lanes = nb::ndarray<double, nb::ndim<4>, nb::c_contig, nb::device::cpu>;  // (fields, lanes, k, bins)

template <class T>
void replicate_bins(Matrix<const T> scores, Maybe<const double> log_normalizer, Matrix<const double> weights,
                    Vector<const std::int64_t> labels, Maybe<const double> hits, EdgeRows edges,
                    Vector<const double> rates, bool right, int threads, Lanes planes) {
  ReplicateTask<T> task{};
  task.bins.scores = scores.data();
  task.bins.n = static_cast<Index>(scores.shape(0));
  task.bins.k = static_cast<Index>(scores.shape(1));
  task.bins.log_normalizer = pointer(log_normalizer);
  task.bins.edges = make_edges(edges, rates, right);
  task.weights = weights.data();
  task.lanes = static_cast<Index>(weights.shape(1));
  task.labels = labels.data();
  task.hits = pointer(hits);
  const Index count = task.bins.k * task.bins.edges.bins, fields = kReplicateFields * task.lanes;
  const Blocks blocks =
      cut_rows(task.bins.n, task.bins.k * task.lanes, count * fields * static_cast<Index>(sizeof(double)));
  BlockCells cells(blocks.count, count, fields);
  run_blocks(blocks.count, threads, [&](int block, int) {
    CALIBRANT_CALL_CLONE(bin_replicates, task, blocks.first(block), blocks.last(block), cells.start(block));
  });
  cells.write(threads, planes.data());
}

template <class T>
void define(nb::module_& m) {
  m.def("bin_replicates", &replicate_bins<T>, nb::arg("scores").noconvert(),
        nb::arg("log_normalizer").noconvert().none(), nb::arg("weights").noconvert(), nb::arg("labels").noconvert(),
        nb::arg("hits").noconvert().none(), nb::arg("edges").noconvert(), nb::arg("rates").noconvert(),
        nb::arg("right"), nb::arg("threads"), nb::arg("planes").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_replicates(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
