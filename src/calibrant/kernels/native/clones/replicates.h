// Histograms of every class under many weightings of the rows at once: each entry is read and binned once for all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "class_bins.h"

namespace calibrant {

template <class T>
struct ReplicateTask {
  ClassBinTask<T> bins;        // its weights and outcomes are not used
  const double* weights;       // (n, lanes)
  std::ptrdiff_t lanes;        // a multiple of eight
  const std::int64_t* labels;  // (n,)
  const double* hits;          // (n,) what the label's entry counts, or null for ones
};

constexpr std::ptrdiff_t kReplicateFields = 5;  // rows, weight, square of the weight, score, outcome

// Adds rows first..last-1 to `cells`, (k, bins, kReplicateFields, lanes) doubles.
CALIBRANT_DECLARE_CLONES(void bin_replicates(const ReplicateTask<float>& task, std::ptrdiff_t first,
                                             std::ptrdiff_t last, double* cells);
                         void bin_replicates(const ReplicateTask<double>& task, std::ptrdiff_t first,
                                             std::ptrdiff_t last, double* cells);)

}  // namespace calibrant
