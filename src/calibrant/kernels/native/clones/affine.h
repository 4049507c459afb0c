// The sums that a gradient and a diagonal preconditioner of vector scaling need.
#pragma once

#include "softmax.h"

namespace calibrant {

constexpr std::ptrdiff_t kAffinePlanes = 5;  // mass, moment, then the curvatures of u^2, u and 1
constexpr std::ptrdiff_t kTile = 4;          // rows whose sums are added together: a quarter of the memory traffic

// Adds rows first..last-1 to `planes` (kAffinePlanes rows of k, padded to eight) and returns the sum of the log
// normalizers. `scratch` holds 2 * kTile padded rows.
CALIBRANT_DECLARE_CLONES(double affine(const AffineTask<float>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                       double* planes, float* scratch);
                         double affine(const AffineTask<double>& task, std::ptrdiff_t first, std::ptrdiff_t last,
                                       double* planes, double* scratch);)

}  // namespace calibrant
