#include "affine.h"

#include <math.h>

#include "affine_row.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// Up to kTile rows: e = exp(a - max a) and u of each, with p = factor * e, and its weight; unused rows weigh 0.
template <class T>
struct Tile {
  const T *e[kTile], *u[kTile];
  double factor[kTile], weight[kTile];
};

template <class T>
CALIBRANT_INLINE void add_tile(const Tile<T>& tile, Index width, double* planes) {
  const d8 one = splat(1.0);
  for (Index j = 0; j < width; j += kLanes) {
    d8 plane[kAffinePlanes];
    for (Index s = 0; s < kAffinePlanes; ++s) plane[s] = load(planes + s * width + j);
    for (Index r = 0; r < kTile; ++r) {
      const d8 p = load_wide(tile.e[r] + j) * splat(tile.factor[r]), u = load_wide(tile.u[r] + j);
      const d8 wp = p * splat(tile.weight[r]), spread = wp * (one - p), spread_u = spread * u;
      plane[0] += wp;
      plane[1] += wp * u;
      plane[2] += spread_u * u;
      plane[3] += spread_u;
      plane[4] += spread;
    }
    for (Index s = 0; s < kAffinePlanes; ++s) store(planes + s * width + j, plane[s]);
  }
}

template <class T>
double affine_any(const AffineTask<T>& task, Index first, Index last, double* planes, T* scratch) {
  const Index width = padded(task.k);
  double log_normalizer = 0;
  Tile<T> tile{};
  Index used = 0;
  const auto flush = [&] {
    for (Index r = used; r < kTile; ++r) {
      tile.e[r] = tile.e[0];
      tile.u[r] = tile.u[0];
      tile.factor[r] = 1;
      tile.weight[r] = 0;
    }
    if (used) add_tile(tile, width, planes);
    used = 0;
  };
  for (Index i = first; i < last; ++i) {
    const double w = task.weights ? task.weights[i] : 1;
    if (w == 0) continue;
    T *e = scratch + 2 * used * width, *u = e + width;
    const T top = affine_row(task, i, e, u);
    const double total = exponentials(e, task.k, top, T(1), e);
    log_normalizer += w * (double(top) + ::log(total));
    tile.e[used] = e;
    tile.u[used] = u;
    tile.factor[used] = 1 / total;
    tile.weight[used] = w;
    if (++used == kTile) flush();
  }
  flush();
  return log_normalizer;
}

}  // namespace

double affine(const AffineTask<float>& task, Index first, Index last, double* planes, float* scratch) {
  return affine_any(task, first, last, planes, scratch);
}
double affine(const AffineTask<double>& task, Index first, Index last, double* planes, double* scratch) {
  return affine_any(task, first, last, planes, scratch);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
