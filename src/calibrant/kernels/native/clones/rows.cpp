#include "rows.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// What one row leaves. For logits, `sum` and `squares` are of exp(z - top_score).
template <class T>
struct Moments {
  T top_score, lowest;
  double sum, squares;
  bool fault;
};

// Reads a row of probabilities and adds weight * p to the class totals.
template <class T>
CALIBRANT_INLINE Moments<T> read_probabilities(const T* row, Index k, double weight, double* totals, T* tops) {
  d8 total = splat(0.0), squares = total;
  const d8 w = splat(weight);
  const Range<T> range = for_groups_and_range(row, k, T(0), tops, [&](Index j, Group<T> x) {
    prefetch(row + j);
    const d8 p = widen(x);
    total += p;
    squares += p * p;
    store(totals + j, load(totals + j) + w * p);
  });
  const double all = sum(total);
  return {range.top, range.lowest, all, sum(squares), !(range.lowest >= 0 && all <= __DBL_MAX__)};
}

// Reads a row of logits and leaves exp(z - max) in `exponentials`, which is padded to whole groups. Loops that each
// do one thing are faster here than one that does all.
template <class T>
CALIBRANT_INLINE Moments<T> read_logits(const T* row, Index k, T* exponentials, T* tops) {
  Moments<T> m{};
  const Range<T> range = row_range(row, k, tops);
  m.lowest = range.lowest;
  m.top_score = range.top;
  const Group<T> shift = splat(m.top_score);
  for_groups(row, k, -kInfinity<T>, [&](Index j, Group<T> z) {
    prefetch(row + j);
    store(exponentials + j, exp_lanes(z - shift));
  });
  add_up(exponentials, k, &m.sum, &m.squares);
  m.fault = !(m.sum >= 1);  // it is at least 1, unless NaN or infinity in the row have made it NaN
  return m;
}

// Rows of exponentials that wait to be added to the class totals together: a quarter of the memory traffic.
template <class T>
struct WaitingRows {
  T* rows;  // kScanTile padded rows
  Index width;
  double* totals;
  double scales[kScanTile] = {};
  Index used = 0;

  T* next() { return rows + used * width; }
  void keep(double scale) {
    scales[used++] = scale;
    if (used == kScanTile) flush();
  }
  // Unused rows are scaled by 0: they hold the zeros of new memory, or exponentials of an earlier row.
  void flush() {
    for (Index j = 0; j < width; j += kLanes) {
      d8 sums = load(totals + j);
      for (Index r = 0; r < kScanTile; ++r) sums += load_wide(rows + r * width + j) * splat(scales[r]);
      store(totals + j, sums);
    }
    for (double& scale : scales) scale = 0;
    used = 0;
  }
};

template <class T>
FaultyEntry find_fault(const RowTask<T>& task, Index i) {
  const T* row = task.scores + i * task.k;
  for (Index j = 0; j < task.k; ++j) {
    if (row[j] != row[j]) return {Fault::nan, i, j};
    if (row[j] == kInfinity<T>) return {Fault::infinite, i, j};
    if (!task.logits && row[j] == -kInfinity<T>) return {Fault::infinite, i, j};
    if (!task.logits && row[j] < 0) return {Fault::negative, i, j};
  }
  return {task.logits ? Fault::empty : Fault::none, i, 0};
}

template <class T>
CALIBRANT_INLINE void write_label(const RowTask<T>& task, Index i, const Moments<T>& m, double log_sum, const T* tops) {
  const T* row = task.scores + i * task.k;
  const Index label = task.labels[i];
  if (label < 0 || label >= task.k) {
    task.label_probability[i] = task.label_log_probability[i] = __builtin_nan("");
    task.label_rank[i] = 0;
    return;
  }
  const T score = row[label];
  const double log_p = task.logits ? (double(score) - double(m.top_score)) - log_sum : ::log(double(score));
  task.label_log_probability[i] = log_p;
  // Where the label has the top score, the same number as the confidence.
  const bool is_top = task.logits && score == m.top_score;
  task.label_probability[i] = is_top ? 1 / m.sum : task.logits ? ::exp(log_p) : double(score);
  task.label_rank[i] = label == task.top[i] ? 1 : 1 + int32_t(columns_before(row, task.k, label, tops));
}

template <class T>
CALIBRANT_INLINE void write_row(const RowTask<T>& task, Index i, const Moments<T>& m, const T* tops) {
  const T* row = task.scores + i * task.k;
  const double log_sum = task.logits ? ::log(m.sum) : 0;
  task.top[i] = int32_t(first_top(row, task.k, m.top_score, tops));
  task.lowest[i] = double(m.lowest);
  task.confidence[i] = task.logits ? 1 / m.sum : double(m.top_score);
  task.total[i] = task.logits ? double(m.top_score) + log_sum : m.sum;
  task.sum_of_squares[i] = task.logits ? m.squares / (m.sum * m.sum) : m.squares;
  if (task.labels) write_label(task, i, m, log_sum, tops);
}

template <class T>
void scan_any(const RowTask<T>& task, Index first, Index last, double* totals, T* scratch, T* tops,
              FaultyEntry* fault) {
  WaitingRows<T> waiting{scratch, padded(task.k), totals};
  for (Index i = first; i < last; ++i) {
    const T* row = task.scores + i * task.k;
    const double weight = task.weights ? task.weights[i] : 1;
    const Moments<T> m = task.logits ? read_logits(row, task.k, waiting.next(), tops)
                                     : read_probabilities(row, task.k, weight, totals, tops);
    if (m.fault) *fault = find_fault(task, i);
    if (fault->kind != Fault::none) return;
    if (task.logits && weight != 0) waiting.keep(weight / m.sum);
    write_row(task, i, m, tops);
    tops += tops_of_row(task.k);
  }
  if (waiting.used) waiting.flush();
}

// -sum p log p; 0 log 0 = 0, since the log is taken of at least the smallest normal number.
template <class T>
void entropy_any(const T* scores, Index n, Index k, const double* log_normalizer, double* out) {
  const Group<T> tiny = splat(sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__));
  for (Index i = 0; i < n; ++i) {
    d8 total = splat(0.0);
    const Shift<T> shift(log_normalizer ? log_normalizer[i] : 0);
    for_groups(scores + i * k, k, log_normalizer ? -kInfinity<T> : T(0), [&](Index, Group<T> x) {
      const Group<T> u = log_normalizer ? larger(shift(x), splat(T(-1e4))) : log_lanes(larger(x, tiny));
      total += widen(log_normalizer ? exp_lanes(u) : x) * widen(u);
    });
    out[i] = 0 - sum(total);
  }
}

}  // namespace

void scan_rows(const RowTask<float>& task, Index first, Index last, double* totals, float* scratch,
               float* tops, FaultyEntry* fault) {
  scan_any(task, first, last, totals, scratch, tops, fault);
}
void scan_rows(const RowTask<double>& task, Index first, Index last, double* totals, double* scratch,
               double* tops, FaultyEntry* fault) {
  scan_any(task, first, last, totals, scratch, tops, fault);
}
void entropy(const float* scores, Index n, Index k, const double* log_normalizer, double* out) {
  entropy_any(scores, n, k, log_normalizer, out);
}
void entropy(const double* scores, Index n, Index k, const double* log_normalizer, double* out) {
  entropy_any(scores, n, k, log_normalizer, out);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
