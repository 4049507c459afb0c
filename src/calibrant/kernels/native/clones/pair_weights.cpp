#include "pair_weights.h"

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

#ifdef __AVX__
CALIBRANT_INLINE f8 root(f8 x) { return (f8)_mm256_sqrt_ps((__m256)x); }
CALIBRANT_INLINE d4 root(d4 x) { return (d4)_mm256_sqrt_pd((__m256d)x); }
#else
CALIBRANT_INLINE f8 root(f8 x) {
  for (int l = 0; l < 8; ++l) x[l] = __builtin_sqrtf(x[l]);
  return x;
}
CALIBRANT_INLINE d4 root(d4 x) {
  for (int l = 0; l < 4; ++l) x[l] = __builtin_sqrt(x[l]);
  return x;
}
#endif
CALIBRANT_INLINE d8 root(d8 x) { return {root(x.lo), root(x.hi)}; }

// A scale as T holds it, never 0 (times an infinite distance it would be NaN) nor infinite (times 0, likewise).
template <class T>
CALIBRANT_INLINE T bounded(double scale) {
  const double most = sizeof(T) == 4 ? 1e30 : 1e300;
  return positive<T>(scale < most ? scale : most);
}

// Leaves |x|^2 - 2 x.y + |y|^2, never below 0, in `out` and returns the least.
template <class T>
CALIBRANT_INLINE T squared_distances(const T* products, T query, const T* norms, Index n, T* out) {
  const Group<T> q = splat(query), two = splat(T(2)), zero = splat(T(0));
  Group<T> least = splat(kInfinity<T>);
  for (Index j = 0; j < n; j += kLanes) {
    prefetch(products + j);
    const Group<T> d = larger((q + load(norms + j)) - two * load(products + j), zero);
    store(out + j, d);
    least = smaller(d, least);
  }
  return smallest<T>(least);
}

template <PairKernel Kind, class T>
CALIBRANT_INLINE Group<T> log_kernel(Group<T> d, Group<T> from, Group<T> scale) {
  if (Kind == PairKernel::box) return where_greater(d, scale, splat(-kInfinity<T>), splat(T(0)));
  return (from - (Kind == PairKernel::laplacian ? root(d) : d)) * scale;
}

// Turns squared distances into log-weights in place, and returns the largest.
template <PairKernel Kind, class T>
CALIBRANT_INLINE T log_weights(const PairTask<T>& task, T nearest, T* row) {
  const Group<T> scale = splat(bounded<T>(task.scale)), least = splat(nearest);
  const Group<T> from = Kind == PairKernel::laplacian ? root(least) : least;
  Group<T> top = splat(-kInfinity<T>);
  for (Index j = 0; j < task.n; j += kLanes) {
    Group<T> t = log_kernel<Kind, T>(load(row + j), from, scale);
    if (task.log_weights) t = t + load(task.log_weights + j);
    store(row + j, t);
    top = larger(t, top);
  }
  return largest<T>(top);
}

template <class T>
CALIBRANT_INLINE void exponentiate(const PairTask<T>& task, Index i, T top, T* row) {
  const Group<T> shift = splat(top);
  d8 total = splat(0.0), squares = total;
  for (Index j = 0; j < task.n; j += kLanes) {
    const Group<T> e = exp_lanes(load(row + j) - shift);
    store(row + j, e);
    const d8 w = widen(e);
    total += w;
    squares += w * w;
  }
  task.total[i] = sum(total);
  task.squares[i] = sum(squares);
}

// Four tables in turn: with one, neighbours of the same class would wait for each other.
template <class T>
CALIBRANT_INLINE void add_by_class(const PairTask<T>& task, const T* row, double* tables, double* out) {
  const Index k = task.k;
  for (Index c = 0; c < 4 * k; ++c) tables[c] = 0;
  for (Index j = 0; j < task.n; j += 4) {
    for (Index l = 0; l < 4; ++l) tables[l * k + task.labels[j + l]] += double(row[j + l]);
  }
  for (Index c = 0; c < k; ++c) out[c] = (tables[c] + tables[k + c]) + (tables[2 * k + c] + tables[3 * k + c]);
}

template <PairKernel Kind, class T>
CALIBRANT_INLINE void one_query(const PairTask<T>& task, Index i, T* row, double* tables) {
  const T nearest = squared_distances(task.products + i * task.n, task.query_norms[i], task.norms, task.n, row);
  const bool any = nearest < kInfinity<T>;
  const T top = any ? log_weights<Kind>(task, nearest, row) : -kInfinity<T>;
  task.nearest[i] = nearest;
  task.top[i] = top;
  task.total[i] = task.squares[i] = 0;
  if (top > -kInfinity<T>) {
    exponentiate(task, i, top, row);
  } else {
    for (Index j = 0; j < task.n; ++j) row[j] = 0;
  }
  if (task.by_class) add_by_class(task, row, tables, task.by_class + i * task.k);
}

template <PairKernel Kind, class T>
void queries(const PairTask<T>& task, Index first, Index last, T* scratch, double* tables) {
  for (Index i = first; i < last; ++i) {
    one_query<Kind>(task, i, task.weights ? task.weights + i * task.n : scratch, tables);
  }
}

template <class T>
void queries_any(const PairTask<T>& task, Index first, Index last, T* scratch, double* tables) {
  if (task.kernel == PairKernel::gaussian) return queries<PairKernel::gaussian>(task, first, last, scratch, tables);
  if (task.kernel == PairKernel::laplacian) return queries<PairKernel::laplacian>(task, first, last, scratch, tables);
  queries<PairKernel::box>(task, first, last, scratch, tables);
}

}  // namespace

#define CALIBRANT_PAIRS(T)                                                                             \
  void pair_weights(const PairTask<T>& task, Index first, Index last, T* scratch, double* tables) {    \
    queries_any(task, first, last, scratch, tables);                                                   \
  }
CALIBRANT_PAIRS(float)
CALIBRANT_PAIRS(double)
#undef CALIBRANT_PAIRS

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
