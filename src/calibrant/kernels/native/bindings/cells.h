// What the two bindings that fill class histograms share: edges in, cells summed in block order, planes out.
#pragma once

#include <algorithm>
#include <memory>

#include "../clones/class_bins.h"
#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"

namespace calibrant {

using EdgeRows = Matrix<const double>;                                            // (1, bins + 1) or (k, bins + 1)
using Planes = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;  // (fields, k, bins)

inline Edges make_edges(const EdgeRows& edges, const Vector<const double>& rates, bool right) {
  const Index rows = static_cast<Index>(edges.shape(0)), width = static_cast<Index>(edges.shape(1));
  return {edges.data(), width - 1, rows > 1 ? width : 0, rates.data(), rows > 1 ? 1 : 0, right};
}

// The cells (k, bins, fields) of every block of rows, and their sum.
class BlockCells {
 public:
  BlockCells(int blocks, Index count, Index fields)
      : blocks_(blocks), count_(count), fields_(fields), cells_(new double[blocks * count * fields]) {}

  // Zeros for one block, cleared by the thread that will fill them.
  double* start(int block) {
    double* cells = cells_.get() + block * count_ * fields_;
    std::fill_n(cells, count_ * fields_, 0.0);
    return cells;
  }

  // Writes the sums over the blocks, added in block order, as `fields` planes (k, bins).
  void write(int threads, double* planes) const {
    const Index ranges = (count_ + kRange - 1) / kRange;
    run_blocks(static_cast<int>(ranges), threads, [&](int range, int) {
      const Index first = range * kRange, last = std::min(count_, first + kRange);
      std::vector<double> sums((last - first) * fields_);
      for (int block = 0; block < blocks_; ++block) {
        const double* cells = cells_.get() + (block * count_ + first) * fields_;
        for (std::size_t e = 0; e < sums.size(); ++e) sums[e] += cells[e];
      }
      for (Index field = 0; field < fields_; ++field) {
        for (Index c = first; c < last; ++c) planes[field * count_ + c] = sums[(c - first) * fields_ + field];
      }
    });
  }

 private:
  static constexpr Index kRange = 2048;  // cells that a thread sums at a time
  const int blocks_;
  const Index count_, fields_;
  const std::unique_ptr<double[]> cells_;
};

}  // namespace calibrant
