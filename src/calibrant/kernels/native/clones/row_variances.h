// How far the mean of p_y or log p_y of each row lies above its label's, and its variance over labels drawn from p.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

// `top` is a column of the largest score of each row. With v = log p (`logs`) or p, and its mean over the classes drawn
// from p / sum p, `excess` is the mean minus v of the label, `variance` the variance of v; 0 log^2 0 = 0.
template <class T>
struct VarianceTask {
  const T* scores;  // (n, k)
  std::ptrdiff_t n, k;
  bool logits, logs;
  const std::int32_t* top;     // (n,)
  const std::int64_t* labels;  // (n,)
  double *excess, *variance;   // (n,)
};

CALIBRANT_DECLARE_CLONES(
    void row_variances(const VarianceTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last);
    void row_variances(const VarianceTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last);)

}  // namespace calibrant
