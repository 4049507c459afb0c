#include "rows.h"

#include <math.h>

#include "row_tools.h"

namespace calibrant {
namespace CALIBRANT_CLONE {
namespace {

// What one row leaves. For logits, `sum` and `squares` are of exp(z - top_score). `above` and `at_least` count the
// entries above the label's score and at or above it, rounded up by the lanes past the end of the row.
template <class T>
struct Moments {
  T top_score;
  double sum, squares;
  Index above, at_least;
  bool fault;
};

// Reads a row of probabilities and adds weight * p to the class totals.
template <class T>
CALIBRANT_INLINE Moments<T> read_probabilities(const T* row, Index k, T label_score, double weight, double* totals) {
  Group<T> top = splat(T(0)), low = top;
  Counter<T> counter{};
  d8 total = splat(0.0), squares = total;
  const d8 w = splat(weight);
  for_groups(row, k, T(0), [&](Index j, Group<T> x) {
    prefetch(row + j);
    top = larger(x, top);
    low = smaller(x, low);
    counter.add(x, splat(label_score));
    const d8 p = widen(x);
    total += p;
    squares += p * p;
    store(totals + j, load(totals + j) + w * p);
  });
  const double all = sum(total);
  const bool fault = !(smallest<T>(low) >= 0 && all <= __DBL_MAX__);
  return {largest<T>(top), all, sum(squares), sum(counter.above), sum(counter.at_least), fault};
}

// Reads a row of logits and leaves exp(z - max) in `exponentials`, which is padded to whole groups. Loops that each
// do one thing are faster here than one that does all.
template <class T>
CALIBRANT_INLINE Moments<T> read_logits(const T* row, Index k, T label_score, T* exponentials) {
  Moments<T> m{};
  Counter<T> counter{};
  m.top_score = row_max(row, k);
  const Group<T> shift = splat(m.top_score);
  for_groups(row, k, -kInfinity<T>, [&](Index j, Group<T> z) {
    prefetch(row + j);
    counter.add(z, splat(label_score));
    store(exponentials + j, exp_lanes(z - shift));
  });
  add_up(exponentials, k, &m.sum, &m.squares);
  m.above = sum(counter.above);
  m.at_least = sum(counter.at_least);
  m.fault = !(m.sum >= 1);  // it is at least 1, unless NaN or infinity in the row have made it NaN
  return m;
}

template <class T>
CALIBRANT_INLINE void add_scaled(double* sums, const T* row, Index k, double scale) {
  const d8 s = splat(scale);
  for (Index j = 0; j < k; j += kLanes) store(sums + j, load(sums + j) + s * load_wide(row + j));
}

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

// The score of the row's label, or NaN if it has none.
template <class T>
CALIBRANT_INLINE T score_of_label(const RowTask<T>& task, Index i) {
  const bool known = task.labels && task.labels[i] >= 0 && task.labels[i] < task.k;
  return known ? task.scores[i * task.k + task.labels[i]] : T(__builtin_nan(""));
}

template <class T>
CALIBRANT_INLINE void write_label(const RowTask<T>& task, Index i, const Moments<T>& m, T score, double log_sum) {
  const bool known = score == score;
  const double log_p = task.logits ? (double(score) - double(m.top_score)) - log_sum : ::log(double(score));
  task.label_log_probability[i] = log_p;
  // Where the label has the top score, the same number as the confidence.
  const bool is_top = task.logits && score == m.top_score;
  task.label_probability[i] = is_top ? 1 / m.sum : task.logits ? ::exp(log_p) : double(score);
  const bool ties = known && m.at_least > m.above + 1;
  const Index before = ties ? count_equal(task.scores + i * task.k, task.labels[i], score) : 0;
  task.label_rank[i] = int32_t(known ? 1 + m.above + before : 0);
}

template <class T>
CALIBRANT_INLINE void write_row(const RowTask<T>& task, Index i, const Moments<T>& m, T label_score) {
  const T* row = task.scores + i * task.k;
  const double log_sum = task.logits ? ::log(m.sum) : 0;
  task.top[i] = int32_t(first_equal(row, task.k, m.top_score));
  task.confidence[i] = task.logits ? 1 / m.sum : double(m.top_score);
  task.total[i] = task.logits ? double(m.top_score) + log_sum : m.sum;
  task.sum_of_squares[i] = task.logits ? m.squares / (m.sum * m.sum) : m.squares;
  if (task.labels) write_label(task, i, m, label_score, log_sum);
}

template <class T>
void scan_any(const RowTask<T>& task, Index first, Index last, double* totals, T* scratch, FaultyEntry* fault) {
  for (Index i = first; i < last; ++i) {
    const T* row = task.scores + i * task.k;
    const double weight = task.weights ? task.weights[i] : 1;
    const T label_score = score_of_label(task, i);
    const Moments<T> m = task.logits ? read_logits(row, task.k, label_score, scratch)
                                     : read_probabilities(row, task.k, label_score, weight, totals);
    if (m.fault) *fault = find_fault(task, i);
    if (fault->kind != Fault::none) return;
    if (task.logits && weight != 0) add_scaled(totals, scratch, task.k, weight / m.sum);
    write_row(task, i, m, label_score);
  }
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
               FaultyEntry* fault) {
  scan_any(task, first, last, totals, scratch, fault);
}
void scan_rows(const RowTask<double>& task, Index first, Index last, double* totals, double* scratch,
               FaultyEntry* fault) {
  scan_any(task, first, last, totals, scratch, fault);
}
void entropy(const float* scores, Index n, Index k, const double* log_normalizer, double* out) {
  entropy_any(scores, n, k, log_normalizer, out);
}
void entropy(const double* scores, Index n, Index k, const double* log_normalizer, double* out) {
  entropy_any(scores, n, k, log_normalizer, out);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
