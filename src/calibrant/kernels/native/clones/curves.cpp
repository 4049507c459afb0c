#include "curves.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

constexpr Index kRows = 32;  // that meet some columns' curves while these are near
constexpr Index kColumns = kCurveColumns;

// The log-sum-exp of logits, or 0; where the probability is near 1 (-1: nowhere), and the log-odds there; the curve at
// the largest score, for log-probabilities; the sum of the values.
struct RowState {
  double normalizer;
  Index near;
  double near_odds, base, sum;
};

// The log-odds of a p near 1, with the sum of the others for 1 - p.
template <class T>
CALIBRANT_INLINE void find_near(const CurveTask<T>& task, Index i, T* scratch, RowState* state) {
  const T *row = task.scores + i * task.k, top = row_max(row, task.k);
  const double p = task.log_normalizer ? ::exp(double(top) - state->normalizer) : double(top);
  if (!(p > task.near_one)) return;
  state->near = first_equal(row, task.k, top);
  if (task.log_normalizer) {
    exponentials(row, task.k, top, T(1), scratch);
  } else {
    for_groups(row, task.k, T(0), [&](Index j, Group<T> x) { store(scratch + j, x); });
  }
  scratch[state->near] = 0;
  const double others = add_up(scratch, task.k) * (task.log_normalizer ? p : 1);
  state->near_odds = ::log(p / (others > __DBL_MIN__ ? others : __DBL_MIN__));
}

CALIBRANT_INLINE f8 narrow_group(d8 x, float) {
  const f4 lo = narrow4(x.lo), hi = narrow4(x.hi);
  return f8{lo[0], lo[1], lo[2], lo[3], hi[0], hi[1], hi[2], hi[3]};
}
CALIBRANT_INLINE d8 narrow_group(d8 x, double) { return x; }

CALIBRANT_INLINE d8 log_of(f8 p) { return log_wide(larger(p, splat(__FLT_DENORM_MIN__))); }
CALIBRANT_INLINE d8 log_of(d8 p) { return log_lanes(larger(p, splat(__DBL_MIN__))); }

// -log(1 - p) of small p, to 1e-8: the terms p^j / j.
constexpr float kSmall = 1.0f / 16;
constexpr float kTerms[] = {1.0f, 1.0f / 2, 1.0f / 3, 1.0f / 4, 1.0f / 5, 1.0f / 6};

// The log-odds of p, given p or log p as `y`. In single precision most p are small, and only log p needs its digits.
template <class T>
CALIBRANT_INLINE d8 log_odds(d8 y, bool logits) {
  if constexpr (sizeof(T) == 4) {
    const f8 narrow = narrow_group(y, T()), p = logits ? exp_lanes(narrow) : narrow;
    if (!any4(greater_mask(p, splat(kSmall)))) return (logits ? y : log_of(narrow)) + widen(polynomial(kTerms, p) * p);
  }
  const d8 p = logits ? exp_lanes(y) : y;
  return log_of(p / (splat(1.0) - p));
}

// Probabilities or log-probabilities become the curves' arguments.
template <class T>
CALIBRANT_INLINE d8 argument(const CurveTask<T>& task, d8 y) {
  const bool logits = task.log_normalizer != nullptr;
  if (task.scale == CurveScale::odds) return log_odds<T>(y, logits);
  if (task.scale == CurveScale::log) return logits ? y : log_of(narrow_group(y, T()));
  return logits ? exp_lanes(y) : y;
}

// The cell whose number stands in the lowest bits of a double.
template <class T>
CALIBRANT_INLINE const Cell<T>& cell_at(const Curves<T>& curves, const double* number) {
  int32_t at;
  memcpy(&at, number, sizeof at);
  return curves.cells[at];
}

// The value at x where a cell holds several knots: few do.
template <class T>
CALIBRANT_INLINE double value_of_pieces(const Curves<T>& curves, const Cell<T>& cell, double x) {
  typename CellNumber<T>::type low, high;
  memcpy(&low, &cell.before, sizeof low);
  memcpy(&high, &cell.after, sizeof high);
  while (low < high) {
    const auto middle = low + (high - low + 1) / 2;
    const bool beyond = curves.pieces[middle].knot <= x;
    low = beyond ? middle : low;
    high = beyond ? high : middle - 1;
  }
  const Piece& piece = curves.pieces[low];
  return piece.level + piece.slope * (x - piece.knot);
}

// Eight cells as their knots, levels and slopes.
template <class T>
struct Cells {
  Group<T> knot, level, before, after;
};

#ifdef __AVX__
struct Cells4 {
  d4 knot, level, before, after;
};
CALIBRANT_INLINE Cells4 turned(const Cell<double>& a, const Cell<double>& b, const Cell<double>& c,
                               const Cell<double>& d) {
  const __m256d p = (__m256d)read<d4>(&a), q = (__m256d)read<d4>(&b), r = (__m256d)read<d4>(&c),
                s = (__m256d)read<d4>(&d);
  const __m256d even = _mm256_unpacklo_pd(p, q), odd = _mm256_unpackhi_pd(p, q);
  const __m256d even2 = _mm256_unpacklo_pd(r, s), odd2 = _mm256_unpackhi_pd(r, s);
  return {(d4)_mm256_permute2f128_pd(even, even2, 0x20), (d4)_mm256_permute2f128_pd(odd, odd2, 0x20),
          (d4)_mm256_permute2f128_pd(even, even2, 0x31), (d4)_mm256_permute2f128_pd(odd, odd2, 0x31)};
}
CALIBRANT_INLINE Cells<double> cells_at(const Curves<double>& curves, const double* at) {
  const Cells4 lo = turned(cell_at(curves, at), cell_at(curves, at + 1), cell_at(curves, at + 2), cell_at(curves, at + 3));
  const Cells4 hi =
      turned(cell_at(curves, at + 4), cell_at(curves, at + 5), cell_at(curves, at + 6), cell_at(curves, at + 7));
  return {{lo.knot, hi.knot}, {lo.level, hi.level}, {lo.before, hi.before}, {lo.after, hi.after}};
}
// Cells l and l + 4.
CALIBRANT_INLINE __m256 cell_pair(const Curves<float>& curves, const double* at, int l) {
  const __m128 low = (__m128)read<f4>(&cell_at(curves, at + l)), high = (__m128)read<f4>(&cell_at(curves, at + l + 4));
  return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}
CALIBRANT_INLINE Cells<float> cells_at(const Curves<float>& curves, const double* at) {
  const __m256 a = cell_pair(curves, at, 0), b = cell_pair(curves, at, 1), c = cell_pair(curves, at, 2),
               d = cell_pair(curves, at, 3);
  const __m256 ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
  const __m256 ab2 = _mm256_unpackhi_ps(a, b), cd2 = _mm256_unpackhi_ps(c, d);
  return {(f8)_mm256_shuffle_ps(ab, cd, 0x44), (f8)_mm256_shuffle_ps(ab, cd, 0xee),
          (f8)_mm256_shuffle_ps(ab2, cd2, 0x44), (f8)_mm256_shuffle_ps(ab2, cd2, 0xee)};
}
#else
template <class T>
CALIBRANT_INLINE Cells<T> cells_at(const Curves<T>& curves, const double* at) {
  T parts[4][kLanes];
  for (int l = 0; l < kLanes; ++l) {
    const Cell<T>& cell = cell_at(curves, at + l);
    parts[0][l] = cell.knot, parts[1][l] = cell.level, parts[2][l] = cell.before, parts[3][l] = cell.after;
  }
  return {load(parts[0]), load(parts[1]), load(parts[2]), load(parts[3])};
}
#endif

CALIBRANT_INLINE bool any_nan(f8 v) { return any4((l4)(v != v)); }
CALIBRANT_INLINE bool any_nan(d8 v) { return any4((l4)(v.lo != v.lo) | (l4)(v.hi != v.hi)); }

template <class T>
CALIBRANT_INLINE Group<T> with_pieces(const Curves<T>& curves, const double* at, d8 x, Group<T> value) {
  double arguments[kLanes];
  T values[kLanes];
  store(arguments, x);
  store(values, value);
  for (int l = 0; l < kLanes; ++l) {
    const Cell<T>& cell = cell_at(curves, at + l);
    if (cell.knot != cell.knot) values[l] = T(value_of_pieces(curves, cell, arguments[l]));
  }
  return load(values);
}

// Where arguments lie: cell numbers in the lowest bits, and places in the cells.
template <class T>
struct Places {
  double numbers[kColumns];  // through memory: taking them out of lanes one by one is slower
  T off[kColumns];
};

// Arguments (m,), m at most kColumns, padded to lanes, become values of the curves of classes c, c + 1, ...: by steps over
// all of them, so that several groups are under way at once.
template <class T>
CALIBRANT_INLINE void on_curves(const Curves<T>& curves, Index c, const double* x, Index m, T* values) {
  using V = Group<T>;
  Places<T> places;
  for (Index j = 0; j < m; j += kLanes) {
    const d8 scaled = (load(x + j) - load(curves.first + c + j)) * load(curves.rate + c + j);
    const d8 place = smaller(larger(scaled, splat(0.0)), load(curves.last + c + j)), offset = load(curves.offset + c + j);
    const d8 number = place + offset;
    store(places.numbers + j, number);
    store(places.off + j, narrow_group(place - (number - offset), T()));
  }
  for (Index j = 0; j < m; j += kLanes) {
    const Cells<T> cells = cells_at(curves, places.numbers + j);
    const V off = load(places.off + j) - cells.knot;
    V value = cells.level + where_greater(splat(T(0)), off, cells.before, cells.after) * off;
    if (__builtin_expect(any_nan(cells.knot), 0)) {
      value = with_pieces(curves, places.numbers + j, larger(load(x + j), load(curves.first + c + j)), value);
    }
    store(values + j, value);
  }
}

// Values of curves (m,) become numbers proportional to probabilities, in the precision of the scores.
template <class T>
CALIBRANT_INLINE void to_values(const CurveTask<T>& task, const double* x, double base, Index m, T* values) {
  using V = Group<T>;
  const V zero = splat(T(0)), one = splat(T(1));
  if (task.tilt != 0 || base != 0) {
    for (Index j = 0; j < m; j += kLanes) {
      store(values + j, narrow_group(widen(load(values + j)) + (load(x + j) * splat(task.tilt) - splat(base)), T()));
    }
  }
  if (task.scale == CurveScale::probability) return;
  for (Index j = 0; j < m; j += kLanes) {
    const V y = load(values + j);
    if (task.scale == CurveScale::odds) {
      const V e = exp_lanes(smaller(y, zero - y)), r = one / (one + e);
      store(values + j, where_greater(y, zero, r, e * r));
    } else {
      store(values + j, exp_lanes(y));
    }
  }
}

template <class T>
CALIBRANT_INLINE RowState start_row(const CurveTask<T>& task, Index i, T* scratch) {
  RowState state{task.log_normalizer ? task.log_normalizer[i] : 0, -1, 0, 0, 0};
  if (task.scale == CurveScale::odds) find_near(task, i, scratch, &state);
  if (task.scale == CurveScale::log) {
    double x[kLanes];
    T value[kLanes];
    store(x, argument(task, splat(double(row_max(task.scores + i * task.k, task.k)) - state.normalizer)));
    on_curves(task.curves, 0, x, 1, value);
    state.base = double(value[0]) + x[0] * task.tilt;
  }
  return state;
}

// Leaves the values of classes c .. c + m - 1 of a row in `values`. Often all their scores lie below the first knots.
template <class T>
CALIBRANT_INLINE void map_columns(const CurveTask<T>& task, const RowState& state, const T* row, Index c, Index m,
                                  T* values) {
  double x[kColumns];
  l4 above{};
  __builtin_prefetch(row + c + kColumns);  // the next columns of this row, before all other rows' turn
  for_groups(row + c, m, T(0.01), [&](Index j, Group<T> score) {
    const d8 y = widen(score) - splat(state.normalizer);
    above |= greater_mask(y, load(task.curves.threshold + c + j));
    store(x + j, y);
  });
  if (!any4(above)) {
    for (Index j = 0; j < m; j += kLanes) store(values + j, narrow_group(load(task.curves.lowest + c + j), T()));
    return;
  }
  for (Index j = 0; j < m; j += kLanes) store(x + j, argument(task, load(x + j)));
  on_curves(task.curves, c, x, m, values);
  to_values(task, x, state.base, m, values);
  if (state.near < c || state.near >= c + m) return;
  double near[kLanes];
  T value[kLanes];
  store(near, splat(state.near_odds));
  on_curves(task.curves, state.near, near, 1, value);
  to_values(task, near, 0, 1, value);
  values[state.near - c] = value[0];
}

// Writes m values, and returns their sum.
template <class T>
CALIBRANT_INLINE double write_values(const T* values, Index m, T* out) {
  d8 total = splat(0.0);
  for_groups(values, m, T(0), [&](Index j, Group<T> v) {
    total += widen(v);
    if (m - j < kLanes) return store_part(out + j, v, m - j);
    store(out + j, v);
  });
  return sum(total);
}

template <class T>
CALIBRANT_INLINE void divide_row(T* row, Index k, double sum) {
  const d8 factor = splat(1 / sum);
  Index j = 0;
  for (; j + kLanes <= k; j += kLanes) store_narrow(row + j, load_wide(row + j) * factor);
  for (; j < k; ++j) row[j] = T(double(row[j]) * (1 / sum));
}

template <class T>
void apply_any(const CurveTask<T>& task, Index first, Index last, T* out, T* scratch) {
  RowState states[kRows];
  T values[kColumns];
  for (Index i = first; i < last; i += kRows) {
    const Index rows = last - i < kRows ? last - i : kRows;
    for (Index r = 0; r < rows; ++r) states[r] = start_row(task, i + r, scratch);
    for (Index c = 0; c < task.k; c += kColumns) {
      const Index m = task.k - c < kColumns ? task.k - c : kColumns;
      for (Index r = 0; r < rows; ++r) {
        map_columns(task, states[r], task.scores + (i + r) * task.k, c, m, values);
        states[r].sum += write_values(values, m, out + (i + r) * task.k + c);
      }
    }
    for (Index r = 0; r < rows; ++r) divide_row(out + (i + r) * task.k, task.k, states[r].sum);
  }
}

}  // namespace

void apply_curves(const CurveTask<float>& task, Index first, Index last, float* out, float* row) {
  apply_any(task, first, last, out, row);
}
void apply_curves(const CurveTask<double>& task, Index first, Index last, double* out, double* row) {
  apply_any(task, first, last, out, row);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
