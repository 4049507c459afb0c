#include "../clones/rows.h"

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

// What a scan may fill besides: the histogram of each class and the bin of each label, while the cache holds the rows.
struct Histogram {
  EdgeRows edges;
  Vector<const double> rates;
  bool right;
  Planes planes;
  std::int32_t* label_bins;  // (n,), or null
};

template <class T>
ClassBinTask<T> bin_task(const RowTask<T>& rows, const Histogram& histogram) {
  ClassBinTask<T> task{};
  task.scores = rows.scores;
  task.n = rows.n;
  task.k = rows.k;
  task.log_normalizer = rows.logits ? rows.total : nullptr;
  task.weights = rows.weights;
  task.edges = make_edges(histogram.edges, histogram.rates, histogram.right);
  task.sparse = true;
  return task;
}

// What a block of rows leaves.
struct BlockSums {
  std::vector<double> totals;  // padded
  double* cells;
  FaultyEntry fault;
};

constexpr Index kTileBytes = Index{128} << 10;  // of rows that are scanned and then binned: part of a small L2 cache

// A block, tile by tile of whole groups of kScanTile rows: each is scanned, and binned at once.
template <class T>
class BlockScan {
 public:
  BlockScan(const RowTask<T>& task, const Histogram* histogram)
      : task_(task),
        tile_(std::max<Index>(1, kTileBytes / (task.k * static_cast<Index>(sizeof(T))) / kScanTile) * kScanTile),
        rows_(task.logits ? kScanTile * padded(task.k) : 0) {
    if (!histogram) return;
    bins_ = bin_task(task, *histogram);
    label_bins_ = task.labels ? histogram->label_bins : nullptr;
  }

  void run(Index first, Index last, T* scratch, BlockSums& sums) const {
    T* const tops = scratch + rows_;
    for (Index i = first, end; i < last; i = end) {
      end = std::min(i + tile_, last);
      CALIBRANT_CALL_CLONE(scan_rows, task_, i, end, sums.totals.data(), scratch, tops, &sums.fault);
      if (sums.fault.kind != Fault::none) return;
      if (bins_) CALIBRANT_CALL_CLONE(bin_classes, *bins_, i, end, tops, sums.cells);
      if (label_bins_) CALIBRANT_CALL_CLONE(bin_of_label, *bins_, i, end, task_.labels, label_bins_);
    }
  }

  // Numbers that a thread needs as scratch memory.
  Index scratch() const { return rows_ + tile_ * tops_of_row(task_.k); }
  // Cells of the histogram and numbers in each; 0 without one.
  Index cells() const { return bins_ ? bins_->k * bins_->edges.bins : 0; }
  Index fields() const { return bins_ ? cell_size(*bins_) : 0; }

 private:
  const RowTask<T>& task_;
  const Index tile_, rows_;
  std::optional<ClassBinTask<T>> bins_;
  std::int32_t* label_bins_ = nullptr;
};

template <class T>
FaultyEntry scan_blocks(const RowTask<T>& task, const Histogram* histogram, int threads, double* class_totals) {
  const BlockScan<T> scan(task, histogram);
  const Index width = padded(task.k), doubles = width + scan.cells() * scan.fields();
  const Blocks blocks = cut_rows(task.n, task.k, doubles * static_cast<Index>(sizeof(double)));
  BlockCells cells(blocks.count, scan.cells(), scan.fields());
  std::vector<BlockSums> sums(blocks.count);
  std::vector<T> scratch(std::max(threads, 1) * scan.scratch());
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    sums[block].totals.resize(width);
    sums[block].cells = cells.start(block);
    scan.run(blocks.first(block), blocks.last(block), scratch.data() + slot * scan.scratch(), sums[block]);
  });
  for (const BlockSums& block : sums) {
    if (block.fault.kind != Fault::none) return block.fault;
    for (Index c = 0; c < task.k; ++c) class_totals[c] += block.totals[c];
  }
  if (histogram) cells.write(threads, histogram->planes.data());
  return {};
}

// Returns (kind, row, column) of the first fault.
template <class T>
nb::tuple scan(Matrix<const T> scores, bool logits, Maybe<const std::int64_t> labels, Maybe<const double> weights,
               int threads, Vector<std::int32_t> top, Vector<double> confidence, Vector<double> total,
               Vector<double> sum_of_squares, Vector<double> lowest, Maybe<double> label_probability,
               Maybe<double> label_log_probability, Maybe<std::int32_t> label_rank, Vector<double> class_totals,
               std::optional<EdgeRows> edges, Maybe<const double> rates, bool right, std::optional<Planes> planes,
               Maybe<std::int32_t> label_bins) {
  const Columns out{top,    confidence,        total,                 sum_of_squares,
                    lowest, label_probability, label_log_probability, label_rank};
  const RowTask<T> task = make_task(scores, logits, labels, weights, out);
  std::optional<Histogram> histogram;
  if (edges) histogram = Histogram{*edges, *rates, right, *planes, pointer(label_bins)};
  FaultyEntry fault;
  {
    nb::gil_scoped_release release;
    fault = scan_blocks(task, histogram ? &*histogram : nullptr, threads, class_totals.data());
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
        nb::arg("sum_of_squares").noconvert(), nb::arg("lowest").noconvert(),
        nb::arg("label_probability").noconvert().none(),
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
