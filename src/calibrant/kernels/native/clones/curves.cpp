#include "curves.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// A tile, kColumns entries of each of kRows rows, is copied: neighbours in a column are far apart in memory.
constexpr Index kRows = 64, kColumns = 16, kTileSize = kRows * kColumns;

// What a tile needs to know of a row: the log-sum-exp of logits, or 0; where its probability is near 1 (-1: nowhere),
// and the log-odds there; the curve at its largest score, for log-probabilities; the sum of its values.
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

// Probabilities or log-probabilities (m,), padded to lanes, become the curves' arguments.
template <class T>
CALIBRANT_INLINE void to_arguments(const CurveTask<T>& task, double* x, Index m) {
  const bool logits = task.log_normalizer != nullptr, as_logs = task.scale == CurveScale::log;
  for (Index j = 0; j < m; j += kLanes) {
    d8 p = load(x + j);
    if (logits && !as_logs) p = exp_lanes(p);
    if (task.scale == CurveScale::odds) p = p / (splat(1.0) - p);
    if (task.scale == CurveScale::odds || (as_logs && !logits)) {
      p = larger(p, splat(__DBL_MIN__));
      p = d8{log_lanes(p.lo), log_lanes(p.hi)};
    }
    store(x + j, p);
  }
}

// The last knot at or below x, or the first.
CALIBRANT_INLINE Index find_piece(const Curve& curve, double x) {
  const Index cell = cell_of(curve, x);
  Index low = curve.starts[cell], high = curve.starts[cell + 1];
  while (high - low > 1) {
    const Index middle = (low + high) / 2;
    (curve.knots[middle] <= x ? low : high) = middle;
  }
  return low + (curve.knots[high] <= x) * (high - low);  // no branch: it would be mispredicted half of the time
}

CALIBRANT_INLINE double curve_at(const Curve& curve, double x, double tilt) {
  const Index piece = find_piece(curve, x);
  const double beyond = x - curve.knots[piece];
  return curve.levels[piece] + curve.slopes[piece] * (beyond > 0 ? beyond : 0) + tilt * x;
}

CALIBRANT_INLINE f8 narrow_group(const double* x, float) {
  const f4 lo = narrow4(read<d4>(x)), hi = narrow4(read<d4>(x + 4));
  return f8{lo[0], lo[1], lo[2], lo[3], hi[0], hi[1], hi[2], hi[3]};
}
CALIBRANT_INLINE d8 narrow_group(const double* x, double) { return load(x); }

// Values of curves (m,), padded to lanes, become numbers proportional to probabilities, in the precision of the scores.
template <class T>
CALIBRANT_INLINE void to_values(const CurveTask<T>& task, const double* x, Index m, T* out) {
  using V = Group<T>;
  const V zero = splat(T(0)), one = splat(T(1));
  for (Index j = 0; j < m; j += kLanes) {
    const V a = narrow_group(x + j, T());
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
    state.base = curve_at(task.curves[0], x[0], task.tilt);
  }
  return state;
}

// One row of a tile, by the curve of all classes.
template <class T>
CALIBRANT_INLINE void map_row(const CurveTask<T>& task, const RowState& state, T* tile) {
  double x[kColumns];
  for (Index j = 0; j < kColumns; j += kLanes) store(x + j, widen(load(tile + j)) - splat(state.normalizer));
  to_arguments(task, x, kColumns);
  for (Index j = 0; j < kColumns; ++j) x[j] = curve_at(task.curves[0], x[j], task.tilt);
  for (Index j = 0; j < kColumns; ++j) x[j] -= state.base;
  to_values(task, x, kColumns, tile);
}

// One column of a tile, by the curve of class c. Most scores of most classes lie below its first knot.
template <class T>
CALIBRANT_INLINE void map_column(const CurveTask<T>& task, const RowState* states, Index c, Index rows, T* tile) {
  const Curve& curve = task.curves[c];
  const T lowest = T(curve.lowest);
  double x[kRows];
  T values[kRows];
  Index places[kRows], m = 0;
  for (Index r = 0; r < rows; ++r) {
    x[m] = double(tile[r * kColumns]) - states[r].normalizer;
    places[m] = r * kColumns;
    m += x[m] > curve.threshold;
    tile[r * kColumns] = lowest;
  }
  for (Index j = m; j < padded(m); ++j) x[j] = curve.threshold;
  to_arguments(task, x, m);
  for (Index j = 0; j < m; ++j) x[j] = curve_at(curve, x[j], 0);
  to_values(task, x, m, values);
  for (Index j = 0; j < m; ++j) tile[places[j]] = values[j];
}

// Copies `width` columns of a tile to `out`, and adds them to the sums of the rows.
template <class T>
CALIBRANT_INLINE void write_tile(const T* tile, Index rows, Index width, RowState* states, T* out, Index k) {
  for (Index r = 0; r < rows; ++r) {
    for (Index j = 0; j < width; j += kLanes) {
      const T* const at = tile + r * kColumns + j;
      if (width - j < kLanes) {
        const Group<T> part = load_part(at, width - j, T(0));
        states[r].sum += sum(widen(part));
        store_part(out + r * k + j, part, width - j);
      } else {
        states[r].sum += sum(widen(load(at)));
        store(out + r * k + j, load(at));
      }
    }
  }
}

template <class T>
CALIBRANT_INLINE void map_tile(const CurveTask<T>& task, RowState* states, Index i, Index rows, Index c, T* out) {
  const Index width = task.k - c < kColumns ? task.k - c : kColumns;
  T tile[kTileSize];
  for (Index r = 0; r < rows; ++r) {
    const T* const row = task.scores + (i + r) * task.k + c;
    for_groups(row, width, T(0.5), [&](Index j, Group<T> x) { store(tile + r * kColumns + j, x); });
    if (task.shared) map_row(task, states[r], tile + r * kColumns);
  }
  for (Index j = 0; !task.shared && j < width; ++j) map_column(task, states, c + j, rows, tile + j);
  for (Index r = 0; r < rows; ++r) {
    const Index near = states[r].near - c;
    if (near < 0 || near >= width) continue;
    double x[kLanes] = {curve_at(task.curves[task.shared ? 0 : c + near], states[r].near_odds, task.tilt)};
    T value[kLanes];
    to_values(task, x, 1, value);
    tile[r * kColumns + near] = value[0];
  }
  write_tile(tile, rows, width, states, out + i * task.k + c, task.k);
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
  for (Index i = first; i < last; i += kRows) {
    const Index rows = last - i < kRows ? last - i : kRows;
    for (Index r = 0; r < rows; ++r) states[r] = start_row(task, i + r, scratch);
    for (Index c = 0; c < task.k; c += kColumns) map_tile(task, states, i, rows, c, out);
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
