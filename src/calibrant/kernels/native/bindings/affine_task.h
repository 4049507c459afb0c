// An AffineTask from arrays: scale and shift in the scores' type, padded so that the lanes past the end weigh nothing.
#pragma once

#include <limits>

#include "../clones/softmax.h"
#include "../runtime/arrays.h"
#include "../runtime/blocks.h"

namespace calibrant {

template <class T>
struct OwnedAffineTask {
  AffineTask<T> task{};
  std::vector<T> scale, shift;

  OwnedAffineTask(const Matrix<const T>& scores, const Vector<const double>& scales,
                  const Vector<const double>& shifts, const Maybe<const double>& log_normalizer,
                  const Maybe<const double>& weights, double log_floor)
      : scale(padded(static_cast<Index>(scores.shape(1))), T(0)),
        shift(scale.size(), -std::numeric_limits<T>::infinity()) {
    task.scores = scores.data();
    task.n = static_cast<Index>(scores.shape(0));
    task.k = static_cast<Index>(scores.shape(1));
    task.log_normalizer = pointer(log_normalizer);
    task.weights = pointer(weights);
    task.log_floor = log_floor;
    for (Index c = 0; c < task.k; ++c) {
      scale[c] = static_cast<T>(scales.data()[c]);
      shift[c] = static_cast<T>(shifts.data()[c]);
    }
    task.scale = scale.data();
    task.shift = shift.data();
  }
};

}  // namespace calibrant
