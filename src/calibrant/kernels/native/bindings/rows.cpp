#include "../clones/rows.h"

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"
#include "cells.h"

namespace calibrant {
namespace {

// The columns of a RowScan, allocated by the caller; those of labels may be missing.
struct Columns {
  Vector<std::int32_t> top;
  Vector<double> confidence, total, sum_of_squares, lowest;
  Maybe<double> label_probability, label_log_probability;
  Maybe<std::int32_t> label_rank;
};

template <class T>
RowTask<T> make_task(const Matrix<const T>& scores, bool logits, const Maybe<const std::int64_t>& labels,
                     const Maybe<const double>& weights, const Columns& out) {
  RowTask<T> task{};
  task.scores = scores.data();
  task.n = static_cast<Index>(scores.shape(0));
  task.k = static_cast<Index>(scores.shape(1));
  task.logits = logits;
  task.labels = pointer(labels);
  task.weights = pointer(weights);
  task.top = out.top.data();
  task.confidence = out.confidence.data();
  task.total = out.total.data();
  task.sum_of_squares = out.sum_of_squares.data();
  task.lowest = out.lowest.data();
  task.label_probability = pointer(out.label_probability);
  task.label_log_probability = pointer(out.label_log_probability);
  task.label_rank = pointer(out.label_rank);
  return task;
}

// What a scan may fill besides: the histogram of each class, from rows that the cache still holds.
template <class T>
struct Histogram {
  ClassBinTask<T> task;
  Index size;                // doubles of one block's cells; 0 for no histogram
  std::int32_t* label_bins;  // (n,), or null
  std::vector<double> cells;
};

template <class T>
Histogram<T> make_histogram(const RowTask<T>& rows, const std::optional<EdgeRows>& edges, const Maybe<const double>& rates,
                            bool right) {
  Histogram<T> bins{};
  if (!edges) return bins;
  bins.task.scores = rows.scores;
  bins.task.n = rows.n;
  bins.task.k = rows.k;
  bins.task.log_normalizer = rows.logits ? rows.total : nullptr;
  bins.task.weights = rows.weights;
  bins.task.edges = make_edges(*edges, *rates, right);
  bins.task.sparse = true;
  bins.size = rows.k * bins.task.edges.bins * cell_size(bins.task);
  return bins;
}

// The bins of the labels of rows first..last-1; -1 for a row without one.
template <class T>
void bin_labels(const RowTask<T>& rows, ClassBinTask<T> task, Index first, Index last, std::int32_t* out) {
  for (Index i = first; i < last; ++i) {
    out[i] = -1;
    if (rows.labels[i] < 0 || rows.labels[i] >= rows.k) continue;
    task.scores = rows.scores + i * rows.k;
    task.log_normalizer = rows.logits ? rows.total + i : nullptr;
    task.n = 1;
    CALIBRANT_CALL_CLONE(bin_of_label, task, rows.labels + i, out + i);
  }
}

constexpr Index kTileBytes = Index{128} << 10;  // of rows that are scanned and then binned: half of a small L2 cache

// Rows of one tile: whole scan tiles, or all rows where nothing is binned.
template <class T>
Index tile_rows(const RowTask<T>& task, const Histogram<T>& bins) {
  const Index fitting = kTileBytes / (task.k * static_cast<Index>(sizeof(T)));
  return bins.size ? std::max<Index>(1, fitting / kScanTile) * kScanTile : std::max<Index>(1, task.n);
}

template <class T>
FaultyEntry scan_blocks(const RowTask<T>& task, Histogram<T>& bins, int threads, double* class_totals) {
  const Index width = padded(task.k);
  const Blocks blocks = cut_rows(task.n, task.k, (width + bins.size) * static_cast<Index>(sizeof(double)));
  const Index tile = tile_rows(task, bins);
  bins.cells.resize(blocks.count * bins.size);
  std::vector<double> totals(blocks.count * width);
  const Index size = task.logits ? kScanTile * width : 0;
  std::vector<T> scratch(std::max(threads, 1) * size);
  std::vector<FaultyEntry> faults(blocks.count);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    const Index last = blocks.last(block);
    for (Index i = blocks.first(block); i < last && faults[block].kind == Fault::none; i += tile) {
      const Index end = std::min(i + tile, last);
      CALIBRANT_CALL_CLONE(scan_rows, task, i, end, totals.data() + block * width, scratch.data() + slot * size,
                           &faults[block]);
      if (bins.size && faults[block].kind == Fault::none) {
        CALIBRANT_CALL_CLONE(bin_classes, bins.task, i, end, bins.cells.data() + block * bins.size);
        if (bins.label_bins) bin_labels(task, bins.task, i, end, bins.label_bins);
      }
    }
  });
  reduce(bins.cells, bins.size, bins.size ? blocks.count : 0);
  for (int block = 0; block < blocks.count; ++block) {
    for (Index c = 0; c < task.k; ++c) class_totals[c] += totals[block * width + c];
  }
  for (const FaultyEntry& fault : faults) {
    if (fault.kind != Fault::none) return fault;
  }
  return {};
}

// Returns (kind, row, column) of the first fault.
template <class T>
nb::tuple scan(Matrix<const T> scores, bool logits, Maybe<const std::int64_t> labels, Maybe<const double> weights,
               int threads, Vector<std::int32_t> top, Vector<double> confidence, Vector<double> total,
               Vector<double> sum_of_squares, Vector<double> lowest, Maybe<double> label_probability, Maybe<double> label_log_probability,
               Maybe<std::int32_t> label_rank, Vector<double> class_totals, std::optional<EdgeRows> edges,
               Maybe<const double> rates, bool right, std::optional<Planes> planes, Maybe<std::int32_t> label_bins) {
  const Columns out{top, confidence, total, sum_of_squares, lowest, label_probability, label_log_probability, label_rank};
  const RowTask<T> task = make_task(scores, logits, labels, weights, out);
  FaultyEntry fault;
  {
    nb::gil_scoped_release release;
    Histogram<T> bins = make_histogram(task, edges, rates, right);
    bins.label_bins = task.labels ? pointer(label_bins) : nullptr;
    fault = scan_blocks(task, bins, threads, class_totals.data());
    if (planes) write_planes(bins.cells, task.k * bins.task.edges.bins, cell_size(bins.task), planes->data());
  }
  return nb::make_tuple(static_cast<int>(fault.kind), fault.row, fault.column);
}

template <class T>
void row_entropy(Matrix<const T> scores, Maybe<const double> log_normalizer, int threads, Vector<double> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  const double* shift = pointer(log_normalizer);
  const Blocks blocks = cut_rows(n, k, 0);
  run_blocks(blocks.count, threads, [&](int block, int) {
    const Index i = blocks.first(block);
    CALIBRANT_CALL_CLONE(entropy, scores.data() + i * k, blocks.last(block) - i, k, shift ? shift + i : nullptr,
                         out.data() + i);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("scan_rows", &scan<T>, nb::arg("scores").noconvert(), nb::arg("logits"),
        nb::arg("labels").noconvert().none(), nb::arg("weights").noconvert().none(), nb::arg("threads"),
        nb::arg("top").noconvert(), nb::arg("confidence").noconvert(), nb::arg("total").noconvert(),
        nb::arg("sum_of_squares").noconvert(), nb::arg("lowest").noconvert(), nb::arg("label_probability").noconvert().none(),
        nb::arg("label_log_probability").noconvert().none(), nb::arg("label_rank").noconvert().none(),
        nb::arg("class_totals").noconvert(), nb::arg("edges").noconvert().none(),
        nb::arg("rates").noconvert().none(), nb::arg("right"), nb::arg("planes").noconvert().none(),
        nb::arg("label_bins").noconvert().none());
  m.def("entropy", &row_entropy<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("threads"), nb::arg("out").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_rows(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
