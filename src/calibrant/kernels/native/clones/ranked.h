// The ranked probability score of each row, for ordered classes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

template <class T>
struct RankedTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  const std::int64_t* labels;
  double* out;
};

constexpr std::ptrdiff_t kRankedRows = 4;  // side by side: one running sum would wait for itself

// Writes sum_j (P(class <= j) - 1{label <= j})^2 over the k - 1 cut points of rows first..last-1. `below` holds
// kRankedRows padded rows of doubles and, for logits, `probabilities` as many of T.
CALIBRANT_DECLARE_CLONES(
    void ranked(const RankedTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last, double* below,
                float* probabilities);
    void ranked(const RankedTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last, double* below,
                double* probabilities);)

}  // namespace calibrant
