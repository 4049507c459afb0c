// Kernel weights of many pairs of rows, from the products of their coordinates, and the sums of each query's weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

enum class PairKernel { gaussian, laplacian, box };

// Each of the `n` references, a multiple of eight, has a squared norm, which is infinite for one that is not there.
// The weight of a pair is w_j exp(-scale d^2), w_j exp(-scale d), or w_j where d^2 <= scale, divided by the largest of
// its query. No weight is lost to underflow but beside a larger one: distances count from that of the nearest.
template <class T>
struct PairTask {
  const T* products;             // (m, n) of coordinates; -infinity for a pair that does not count
  std::ptrdiff_t m, n, k;
  const T *query_norms, *norms;  // (m,), (n,)
  const T* log_weights;          // (n,), or null for weights of 1
  const std::int32_t* labels;    // (n,) in 0..k-1, or null
  PairKernel kernel;
  double scale;
  T* weights;                                // (m, n), or null where only the sums are wanted
  double *nearest, *top, *total, *squares;   // (m,): least d^2, log of the largest weight, sums of weights and squares
  double* by_class;                          // (m, k), the sums of each label; or null
};

// `scratch` holds n entries, `tables` 4 k; neither is read before it is written.
#define CALIBRANT_PAIRS(T) \
  void pair_weights(const PairTask<T>& task, std::ptrdiff_t first, std::ptrdiff_t last, T* scratch, double* tables);
CALIBRANT_DECLARE_CLONES(CALIBRANT_PAIRS(float) CALIBRANT_PAIRS(double))
#undef CALIBRANT_PAIRS

}  // namespace calibrant
