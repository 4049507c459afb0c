// The fused pass that leaves a few columns a row; after it, the scores are not needed for them again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

enum class Fault { none, nan, infinite, negative, empty };

// The first entry that is not a legal score.
struct FaultyEntry {
  Fault kind = Fault::none;
  std::ptrdiff_t row = 0, column = 0;
};

// Inputs, and the columns to fill: n entries each; the label columns are null without labels.
template <class T>
struct RowTask {
  const T* scores;
  std::ptrdiff_t n, k;
  bool logits;
  const std::int64_t* labels;
  const double* weights;
  std::int32_t* top;
  double *confidence, *total, *sum_of_squares, *lowest;
  double *label_probability, *label_log_probability;
  std::int32_t* label_rank;
};

constexpr std::ptrdiff_t kScanTile = 4;  // rows of logits that are added to the class totals together

// Scans rows first..last-1 up to the first fault. `class_totals` holds k entries, padded to eight, `scratch`
// kScanTile such rows; `tops` is filled with the largest entries of each row's stretches, tops_of_row numbers a row.
CALIBRANT_DECLARE_CLONES(
    void scan_rows(const RowTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last, double* class_totals,
                   float* scratch, float* tops, FaultyEntry* fault);
    void scan_rows(const RowTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last, double* class_totals,
                   double* scratch, double* tops, FaultyEntry* fault);
    void entropy(const float* scores, std::ptrdiff_t n, std::ptrdiff_t k, const double* log_normalizer, double* out);
    void entropy(const double* scores, std::ptrdiff_t n, std::ptrdiff_t k, const double* log_normalizer, double* out);)

}  // namespace calibrant
