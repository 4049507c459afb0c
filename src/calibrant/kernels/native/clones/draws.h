// Labels drawn from the rows' own probabilities.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

template <class T>
struct DrawTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  const double* uniforms;        // (draws, n) in (0, 1)
  std::ptrdiff_t draws;
  std::int32_t* labels;  // (draws, n)
};

// Draws for rows first..last-1. `cumulative` holds k doubles, `scratch` k entries, padded to eight.
CALIBRANT_DECLARE_CLONES(void draw_labels(const DrawTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                          double* cumulative, float* scratch);
                         void draw_labels(const DrawTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                          double* cumulative, double* scratch);)

}  // namespace calibrant
