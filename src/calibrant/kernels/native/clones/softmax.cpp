#include "softmax.h"

#include <math.h>

#include "affine_row.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

template <class T>
CALIBRANT_INLINE void store_group(T* row, Index j, Index k, d8 wide) {
  if (k - j >= kLanes) return store_narrow(row + j, wide);
  T group[kLanes];
  store_narrow(group, wide);
  store_part(row + j, load(group), k - j);
}

// out = in * factor for k entries; `in` is padded.
template <class T>
CALIBRANT_INLINE void scale_row(const T* in, Index k, double factor, T* out) {
  const d8 f = splat(factor);
  for (Index j = 0; j < k; j += kLanes) store_group(out, j, k, load_wide(in + j) * f);
}

template <class T>
void softmax_any(const T* scores, Index n, Index k, double scale, T* out, T* scratch) {
  for (Index i = 0; i < n; ++i) {
    const T* row = scores + i * k;
    const double total = exponentials(row, k, row_max(row, k), positive<T>(scale), scratch);
    scale_row(scratch, k, 1 / total, out + i * k);
  }
}

template <class T>
void log_softmax_any(const T* scores, Index n, Index k, T* out, T* scratch) {
  for (Index i = 0; i < n; ++i) {
    const T* row = scores + i * k;
    const T top = row_max(row, k);
    const d8 shift = splat(double(top)), log_sum = splat(::log(exponentials(row, k, top, T(1), scratch)));
    for_groups(row, k, T(0), [&](Index j, Group<T> z) { store_group(out + i * k, j, k, widen(z) - shift - log_sum); });
  }
}

template <class T>
void log_any(const T* in, Index count, double log_floor, T* out) {
  const LogProbability<T> u(nullptr, 0, log_floor);
  for_groups(in, count, T(1), [&](Index j, Group<T> p) {
    if (count - j < kLanes) return store_part(out + j, u(p), count - j);
    store(out + j, u(p));
  });
}

template <class T>
void affine_any(const AffineTask<T>& task, Index first, Index last, T* out, T* scratch) {
  for (Index i = first; i < last; ++i) {
    const T top = affine_row(task, i, scratch, static_cast<T*>(nullptr));
    const double total = exponentials(scratch, task.k, top, T(1), scratch);
    scale_row(scratch, task.k, 1 / total, out + i * task.k);
  }
}

template <class T>
void affine_logits_any(const AffineTask<T>& task, Index first, Index last, T* out) {
  for (Index i = first; i < last; ++i) {
    const LogProbability<T> log_probability(task.log_normalizer, i, task.log_floor);
    T* to = out + i * task.k;
    for_groups(task.scores + i * task.k, task.k, T(0), [&](Index j, Group<T> x) {
      const Group<T> a = log_probability(x) * load(task.scale + j) + load(task.shift + j);
      if (task.k - j < kLanes) return store_part(to + j, a, task.k - j);
      store(to + j, a);
    });
  }
}

}  // namespace

#define CALIBRANT_SOFTMAX(T)                                                              \
  void log_softmax(const T* scores, Index n, Index k, T* out, T* scratch) {               \
    log_softmax_any(scores, n, k, out, scratch);                                          \
  }                                                                                       \
  void softmax(const T* scores, Index n, Index k, double scale, T* out, T* scratch) {     \
    softmax_any(scores, n, k, scale, out, scratch);                                       \
  }                                                                                       \
  void log_probabilities(const T* scores, Index count, double log_floor, T* out) {        \
    log_any(scores, count, log_floor, out);                                               \
  }                                                                                       \
  void affine_softmax(const AffineTask<T>& task, Index first, Index last, T* out, T* scratch) { \
    affine_any(task, first, last, out, scratch);                                          \
  }                                                                                       \
  void affine_logits(const AffineTask<T>& task, Index first, Index last, T* out) {        \
    affine_logits_any(task, first, last, out);                                            \
  }
CALIBRANT_SOFTMAX(float)
CALIBRANT_SOFTMAX(double)
#undef CALIBRANT_SOFTMAX

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
