// One entry of a histogram of classes.
#pragma once

#include <math.h>

#include "bin_search.h"
#include "class_bins.h"

namespace calibrant {
namespace CALIBRANT_CLONE {

// The probability of an entry and its bin: the only place where they are computed, so that histograms and label
// bins never disagree. libm's exp is opaque to the compiler: no caller gets another rounding.
template <class T>
CALIBRANT_INLINE double probability(const ClassBinTask<T>& task, Index i, Index c) {
  const double s = double(task.scores[i * task.k + c]);
  return task.log_normalizer ? ::exp(s - task.log_normalizer[i]) : s;
}
CALIBRANT_INLINE Index class_bin(const Edges& e, Index c, double p) {
  return find_bin(p, e.values + c * e.stride, e.bins, e.right, e.rates[c * e.rate_stride]);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
