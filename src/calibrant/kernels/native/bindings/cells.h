// What the two bindings that fill class histograms share: edges in, cells summed in block order, planes out.
#pragma once

#include "../clones/class_bins.h"
#include "../runtime/arrays.h"
#include "../runtime/blocks.h"

namespace calibrant {

using EdgeRows = Matrix<const double>;                                            // (1, bins + 1) or (k, bins + 1)
using Planes = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;  // (fields, k, bins)

inline Edges make_edges(const EdgeRows& edges, const Vector<const double>& rates, bool right) {
  const Index rows = static_cast<Index>(edges.shape(0)), width = static_cast<Index>(edges.shape(1));
  return {edges.data(), width - 1, rows > 1 ? width : 0, rates.data(), rows > 1 ? 1 : 0, right};
}

// Sums the blocks' cells, in block order, into the first block's.
inline void reduce(std::vector<double>& cells, Index size, int blocks) {
  for (int block = 1; block < blocks; ++block) {
    for (Index c = 0; c < size; ++c) cells[c] += cells[block * size + c];
  }
}

// Writes cells (k, bins, fields) as `fields` planes (k, bins).
inline void write_planes(const std::vector<double>& cells, Index count, Index fields, double* planes) {
  for (Index field = 0; field < fields; ++field) {
    for (Index c = 0; c < count; ++c) planes[field * count + c] = cells[c * fields + field];
  }
}

}  // namespace calibrant
