// Logistic maps of every class's log-odds (one against the rest): the sums of a fit, and the map itself.
#pragma once

#include "affine.h"

namespace calibrant {

constexpr std::ptrdiff_t kLogisticPlanes = 6;  // softplus, mass, moment, then the curvatures of s^2, s and 1

// sigma = 1 / (1 + exp(-(scale s + shift))) with s = log p - log(1 - p), each log at least task.log_floor. The fit
// adds rows first..last-1 to `planes` (kLogisticPlanes rows of k, padded to eight); `scratch` holds kTile + 1 padded
// rows. logistic_apply writes (n, k).
#define CALIBRANT_LOGISTIC(T)                                                                                     \
  void logistic(const AffineTask<T>& task, std::ptrdiff_t first, std::ptrdiff_t last, double* planes, T* scratch); \
  void logistic_apply(const AffineTask<T>& task, std::ptrdiff_t first, std::ptrdiff_t last, T* out, T* scratch);
CALIBRANT_DECLARE_CLONES(CALIBRANT_LOGISTIC(float) CALIBRANT_LOGISTIC(double))
#undef CALIBRANT_LOGISTIC

}  // namespace calibrant
