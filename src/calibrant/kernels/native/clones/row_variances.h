// The variance of p_y or log p_y of each row, if its label y is drawn from its probabilities.
#pragma once

#include <cstddef>

#include "../runtime/clones.h"

namespace calibrant {

// Writes sum_c p_c (v_c - centre)^2 of n rows, v = log p with `logs`, else p; 0 log^2 0 = 0.
CALIBRANT_DECLARE_CLONES(
    void row_variances(const float* scores, std::ptrdiff_t n, std::ptrdiff_t k, const double* log_normalizer,
                       const double* centre, bool logs, double* out);
    void row_variances(const double* scores, std::ptrdiff_t n, std::ptrdiff_t k, const double* log_normalizer,
                       const double* centre, bool logs, double* out);)

}  // namespace calibrant
