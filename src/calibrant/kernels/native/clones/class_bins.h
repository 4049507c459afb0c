// Histograms of every class's probability, in one pass over the scores.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

// Bin edges: `bins + 1` numbers shared by all classes (strides 0), or one such row a class.
struct Edges {
  const double* values;
  std::ptrdiff_t bins, stride;
  const double* rates;  // bins a unit where the edges are about equally spaced, else 0
  std::ptrdiff_t rate_stride;
  bool right;  // closed on the right
};

template <class T>
struct ClassBinTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  const double *weights, *outcomes;
  Edges edges;
  bool sparse;  // leave out bin 0, which the caller gets by subtraction; edges shared and spanning [0, 1]
};

// A cell is (rows, score), then the weight if there are weights, then the outcome if there are outcomes.
template <class T>
inline std::ptrdiff_t cell_size(const ClassBinTask<T>& task) {
  return 2 + (task.weights != nullptr) + (task.outcomes != nullptr);
}

// Adds rows first..last-1 to `cells`, (k, bins, cell_size) doubles; `tops` is what scan_rows left of them, or null. bin_of_label writes, for the same rows, the bin in
// which entry (i, labels[i]) is counted; -1 where it is dropped or the label is no class.
CALIBRANT_DECLARE_CLONES(
    void bin_classes(const ClassBinTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last, const float* tops,
                     double* cells);
    void bin_classes(const ClassBinTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last, const double* tops,
                     double* cells);
    void bin_of_label(const ClassBinTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                      const std::int64_t* labels, std::int32_t* bins);
    void bin_of_label(const ClassBinTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                      const std::int64_t* labels, std::int32_t* bins);)

}  // namespace calibrant
