// Rows of scores into rows of probabilities or log-probabilities, written in the scores' own type.
#pragma once

#include <cstddef>

#include "../runtime/clones.h"

namespace calibrant {

// Per-class scale and shift of the log-probabilities, padded to whole groups of eight.
template <class T>
struct AffineTask {
  const T* scores;
  std::ptrdiff_t n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  const double* weights;
  const T *scale, *shift;
  double log_floor;
};

// `out` has n rows of k; `scratch` holds k entries, padded to eight.
#define CALIBRANT_SOFTMAX(T)                                                                                   \
  void log_softmax(const T* scores, std::ptrdiff_t n, std::ptrdiff_t k, T* out, T* scratch);                   \
  void softmax(const T* scores, std::ptrdiff_t n, std::ptrdiff_t k, double scale, T* out, T* scratch);         \
  void log_probabilities(const T* scores, std::ptrdiff_t count, double log_floor, T* out);                     \
  void affine_softmax(const AffineTask<T>& task, std::ptrdiff_t first, std::ptrdiff_t last, T* out, T* scratch); \
  void affine_logits(const AffineTask<T>& task, std::ptrdiff_t first, std::ptrdiff_t last, T* out);
CALIBRANT_DECLARE_CLONES(CALIBRANT_SOFTMAX(float) CALIBRANT_SOFTMAX(double))
#undef CALIBRANT_SOFTMAX

}  // namespace calibrant
