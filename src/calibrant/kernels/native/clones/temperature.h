// Temperature scaling: the loss and three derivatives in beta = 1 / temperature.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

template <class T>
struct TemperatureTask {
  const T* scores;
  std::ptrdiff_t n, k;
  bool logits;
  const int32_t* top;  // the column of the largest score of each row
  const double* weights;
  double beta, log_floor;
};

// Sums over rows, each times its weight, with d = z - max z: log sum_c exp(beta d_c), E d, Var d, E (d - E d)^3.
struct TemperatureSums {
  double loss = 0, gradient = 0, curvature = 0, third = 0;
};

// `scratch` holds 3 rows of k entries, each padded to eight.
CALIBRANT_DECLARE_CLONES(TemperatureSums temperature(const TemperatureTask<float>& task, std::ptrdiff_t first,
                                                     std::ptrdiff_t last, float* scratch);
                         TemperatureSums temperature(const TemperatureTask<double>& task, std::ptrdiff_t first,
                                                     std::ptrdiff_t last, double* scratch);)

}  // namespace calibrant
