#include "row_variances.h"

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// p and v of a group of entries. What lies past the end of a row has p = 0 and a finite v.
template <class T>
struct Entries {
  d8 p, v;
};
template <bool Logits, bool Logs, class T>
CALIBRANT_INLINE Entries<T> entries(Group<T> x, const Shift<T>& shift) {
  if (Logits) {
    const Group<T> u = larger(shift(x), splat(T(-1e4)));  // below, the exponential is 0
    const d8 p = widen(exp_lanes(u));
    return {p, Logs ? widen(u) : p};
  }
  const Group<T> tiny = splat(sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__));
  return {widen(x), Logs ? widen(log_lanes(larger(x, tiny))) : widen(x)};
}

template <bool Logits, bool Logs, class T>
void variances(const T* scores, Index n, Index k, const double* log_normalizer, const double* centre, double* out) {
  for (Index i = 0; i < n; ++i) {
    const Shift<T> shift(Logits ? log_normalizer[i] : 0);
    const d8 mean = splat(centre[i]);
    d8 total = splat(0.0);
    for_groups(scores + i * k, k, Logits ? -kInfinity<T> : T(0), [&](Index j, Group<T> x) {
      prefetch(scores + i * k + j);
      const Entries<T> e = entries<Logits, Logs, T>(x, shift);
      const d8 d = e.v - mean;
      total += e.p * (d * d);
    });
    out[i] = sum(total);
  }
}

template <class T>
void variances_any(const T* scores, Index n, Index k, const double* log_normalizer, const double* centre, bool logs,
                   double* out) {
  if (log_normalizer && logs) return variances<true, true>(scores, n, k, log_normalizer, centre, out);
  if (log_normalizer) return variances<true, false>(scores, n, k, log_normalizer, centre, out);
  if (logs) return variances<false, true>(scores, n, k, log_normalizer, centre, out);
  variances<false, false>(scores, n, k, log_normalizer, centre, out);
}

}  // namespace

void row_variances(const float* scores, Index n, Index k, const double* log_normalizer, const double* centre,
                   bool logs, double* out) {
  variances_any(scores, n, k, log_normalizer, centre, logs, out);
}
void row_variances(const double* scores, Index n, Index k, const double* log_normalizer, const double* centre,
                   bool logs, double* out) {
  variances_any(scores, n, k, log_normalizer, centre, logs, out);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
