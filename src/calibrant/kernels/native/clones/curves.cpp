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

CALIBRANT_INLINE d8 log_of(d8 p) {
  p = larger(p, splat(__DBL_MIN__));
  return d8{log_lanes(p.lo), log_lanes(p.hi)};
}

// -log(1 - p) of small p, to 1e-8: the terms p^j / j.
constexpr float kSmall = 1.0f / 16;
constexpr float kTerms[] = {1.0f, 1.0f / 2, 1.0f / 3, 1.0f / 4, 1.0f / 5, 1.0f / 6};

// The log-odds of p, given p or log p as `y`. In single precision most p are small, and only log p needs its digits.
template <class T>
CALIBRANT_INLINE d8 log_odds(d8 y, bool logits) {
  if constexpr (sizeof(T) == 4) {
    const f8 narrow = narrow_group(y, T()), p = logits ? exp_lanes(narrow) : narrow;
    if (!any4(greater_mask(p, splat(kSmall)))) return (logits ? y : log_of(y)) + widen(polynomial(kTerms, p) * p);
  }
  const d8 p = logits ? exp_lanes(y) : y;
  return log_of(p / (splat(1.0) - p));
}

// Probabilities or log-probabilities (m,), padded to lanes, become the curves' arguments.
template <class T>
CALIBRANT_INLINE void to_arguments(const CurveTask<T>& task, double* x, Index m) {
  const bool logits = task.log_normalizer != nullptr;
  if (logits && task.scale == CurveScale::log) return;
  for (Index j = 0; j < m; j += kLanes) {
    const d8 y = load(x + j);
    if (task.scale == CurveScale::odds) {
      store(x + j, log_odds<T>(y, logits));
    } else {
      store(x + j, logits ? exp_lanes(y) : task.scale == CurveScale::log ? log_of(y) : y);
    }
  }
}

// The cell whose number stands in the lowest bits of a double.
CALIBRANT_INLINE const Cell& cell_at(const Curves& curves, const double* number) {
  int32_t at;
  memcpy(&at, number, sizeof at);
  return curves.cells[at];
}

// The value at x where a cell holds several knots: few do.
CALIBRANT_INLINE double value_of_pieces(const Curves& curves, const Cell& cell, double x) {
  Index low = Index(cell.before), high = Index(cell.after);
  while (low < high) {
    const Index middle = (low + high + 1) / 2;
    const bool beyond = curves.pieces[middle].knot <= x;
    low = beyond ? middle : low;
    high = beyond ? high : middle - 1;
  }
  const Piece& piece = curves.pieces[low];
  return piece.level + piece.slope * (x - piece.knot);
}

// Four cells as their knots, levels and slopes.
struct Cells4 {
  d4 knot, level, before, after;
};
CALIBRANT_INLINE Cells4 turned(const Cell& a, const Cell& b, const Cell& c, const Cell& d) {
#ifdef __AVX__
  const __m256d p = (__m256d)read<d4>(&a), q = (__m256d)read<d4>(&b), r = (__m256d)read<d4>(&c),
                s = (__m256d)read<d4>(&d);
  const __m256d even = _mm256_unpacklo_pd(p, q), odd = _mm256_unpackhi_pd(p, q);
  const __m256d even2 = _mm256_unpacklo_pd(r, s), odd2 = _mm256_unpackhi_pd(r, s);
  return {(d4)_mm256_permute2f128_pd(even, even2, 0x20), (d4)_mm256_permute2f128_pd(odd, odd2, 0x20),
          (d4)_mm256_permute2f128_pd(even, even2, 0x31), (d4)_mm256_permute2f128_pd(odd, odd2, 0x31)};
#else
  return {d4{a.knot, b.knot, c.knot, d.knot}, d4{a.level, b.level, c.level, d.level},
          d4{a.before, b.before, c.before, d.before}, d4{a.after, b.after, c.after, d.after}};
#endif
}

// Values at four x, whose cells have the given numbers.
CALIBRANT_INLINE d4 values4(const Curves& curves, d4 x, const double* numbers) {
  const Cells4 cells = turned(cell_at(curves, numbers), cell_at(curves, numbers + 1), cell_at(curves, numbers + 2),
                              cell_at(curves, numbers + 3));
  const d4 off = x - cells.knot;
  d4 value = cells.level + where_greater(splat4(0), off, cells.before, cells.after) * off;
  if (__builtin_expect(any4((l4)(cells.knot != cells.knot)), 0)) {
    for (int l = 0; l < 4; ++l) {
      const Cell& cell = cell_at(curves, numbers + l);
      if (cell.knot != cell.knot) value[l] = value_of_pieces(curves, cell, x[l]);
    }
  }
  return value;
}

// Arguments (m,), m at most kColumns, padded to lanes, become values of the curves of classes c, c + 1, ...
CALIBRANT_INLINE void evaluate(const Curves& curves, double tilt, Index c, double* x, Index m) {
  double numbers[kColumns];  // through memory: taking them out of lanes one by one is slower
  for (Index j = 0; j < m; j += kLanes) {
    const d8 off = load(x + j) - load(curves.first + c + j);
    const d8 cell = smaller(larger(off * load(curves.rate + c + j), splat(0.0)), load(curves.last + c + j));
    store(numbers + j, cell + load(curves.offset + c + j));
  }
  for (Index j = 0; j < m; j += kLanes) {
    const d8 y = load(x + j), inside = larger(y, load(curves.first + c + j));
    const d8 values = {values4(curves, inside.lo, numbers + j), values4(curves, inside.hi, numbers + j + 4)};
    store(x + j, values + y * splat(tilt));
  }
}

// Values of curves (m,), padded to lanes, become numbers proportional to probabilities, in the precision of the scores.
template <class T>
CALIBRANT_INLINE void to_values(const CurveTask<T>& task, const double* x, double base, Index m, T* out) {
  using V = Group<T>;
  const V zero = splat(T(0)), one = splat(T(1));
  for (Index j = 0; j < m; j += kLanes) {
    const V a = narrow_group(load(x + j) - splat(base), T());
    if (task.scale == CurveScale::odds) {
      const V e = exp_lanes(smaller(a, zero - a)), r = one / (one + e);
      store(out + j, where_greater(a, zero, r, e * r));
    } else {
      store(out + j, task.scale == CurveScale::log ? exp_lanes(a) : a);
    }
  }
}

template <class T>
CALIBRANT_INLINE RowState start_row(const CurveTask<T>& task, Index i, T* scratch) {
  RowState state{task.log_normalizer ? task.log_normalizer[i] : 0, -1, 0, 0, 0};
  if (task.scale == CurveScale::odds) find_near(task, i, scratch, &state);
  if (task.scale == CurveScale::log) {
    double x[kLanes] = {double(row_max(task.scores + i * task.k, task.k)) - state.normalizer, 1, 1, 1, 1, 1, 1, 1};
    to_arguments(task, x, 1);
    evaluate(task.curves, task.tilt, 0, x, 1);
    state.base = x[0];
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
  to_arguments(task, x, m);
  evaluate(task.curves, task.tilt, c, x, m);
  to_values(task, x, state.base, m, values);
  if (state.near < c || state.near >= c + m) return;
  double near[kLanes] = {state.near_odds};
  T value[kLanes];
  evaluate(task.curves, task.tilt, state.near, near, 1);
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
