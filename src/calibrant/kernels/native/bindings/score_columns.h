// What the kernels share that take one column of scores at a time: the scores, the rows of each label, the columns.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"

namespace calibrant {

constexpr Index kBufferBytes = Index{16} << 20;  // of one thread's columns
constexpr Index kMostColumns = 64;

template <class T>
struct Scores {
  const T* values;
  Index n, k;
  const double* log_normalizer;  // of logits; null for probabilities
  const double* weights;         // or null

  double weight(Index i) const { return weights ? weights[i] : 1; }
  // The sum of the other entries of row i, for probabilities.
  double others(Index i, Index c) const {
    const T* const row = values + i * k;
    double sum = 0;
    for (Index j = 0; j < k; ++j) sum += j == c ? 0.0 : static_cast<double>(row[j]);
    return sum;
  }
  // What `probability` of the class histograms gives; adding 0 makes a negative zero a zero.
  template <class V>
  V probability(Index i, Index c) const {
    const T s = values[i * k + c];
    if constexpr (std::is_same_v<V, float>) return s + V(0);
    return (log_normalizer ? std::exp(double(s) - log_normalizer[i]) : double(s)) + 0.0;
  }
};

// The rows of each label, in order: those of class c are rows[first[c]] .. rows[first[c + 1] - 1].
struct RowsOfLabels {
  std::vector<Index> first;
  std::vector<Index> rows;

  RowsOfLabels(const Vector<const std::int64_t>& labels, Index k) : first(k + 2), rows(labels.size()) {
    const auto place = [&](std::size_t i) {
      const std::int64_t c = labels.data()[i];
      return c < 0 || c >= k ? k : static_cast<Index>(c);  // rows without a label come last
    };
    for (std::size_t i = 0; i < labels.size(); ++i) ++first[place(i) + 1];
    for (Index c = 0; c <= k; ++c) first[c + 1] += first[c];
    std::vector<Index> next(first.begin(), first.end() - 1);
    for (std::size_t i = 0; i < labels.size(); ++i) rows[next[place(i)]++] = static_cast<Index>(i);
  }
};

// Some columns side by side become arrays of their own.
template <class T, class V>
class Columns {
 public:
  Columns(const Scores<T>& scores, double threshold) : scores_(scores), threshold_(threshold) {}

  static Index width(const Scores<T>& scores) {
    const Index bytes = scores.n * static_cast<Index>(sizeof(V));
    return std::clamp(kBufferBytes / bytes, Index{1}, std::min(kMostColumns, scores.k));
  }

  // Some rows at a time: each row is a few lines of memory far from the next, and so is each column.
  void read(Index first, Index count) {
    values_.resize(count * stride());
    for (Index i = 0; i < scores_.n; i += kTile) {
      const Index end = std::min(i + kTile, scores_.n);
      ask_for(end, std::min(end + kTile, scores_.n), first, count);
      for (Index c = 0; c < count; ++c) {
        V* const column = values_.data() + c * stride();
        for (Index r = i; r < end; ++r) column[r] = scores_.template probability<V>(r, first + c);
      }
    }
  }

  // All scores of column c.
  const V* values(Index c) const { return values_.data() + c * stride(); }

  // The scores of column c that count, closed up, and their weights, or null for ones.
  struct Column {
    const V* scores;
    const double* weights;
    Index size;
  };
  Column column(Index c) {
    V* const column = values_.data() + c * stride();
    if (!scores_.weights && threshold_ == 0) return {column, nullptr, scores_.n};
    weights_.resize(scores_.weights ? scores_.n : 0);
    Index m = 0;
    for (Index i = 0; i < scores_.n; ++i) {
      const double w = scores_.weight(i);
      column[m] = column[i];
      if (scores_.weights) weights_[m] = w;
      m += w > 0 && static_cast<double>(column[i]) >= threshold_;
    }
    return {column, scores_.weights ? weights_.data() : nullptr, m};
  }

 private:
  static constexpr Index kTile = 16;  // rows
  Index stride() const { return scores_.n + kTile; }  // off the powers of two, whose columns share places in the cache

  void ask_for(Index first_row, Index last_row, Index first, Index count) const {
    const Index step = 64 / static_cast<Index>(sizeof(T));
    for (Index i = first_row; i < last_row; ++i) {
      const T* const row = scores_.values + i * scores_.k + first;
      for (Index c = 0; c < count; c += step) __builtin_prefetch(row + c);
      __builtin_prefetch(row + count - 1);
    }
  }

  const Scores<T>& scores_;
  const double threshold_;
  std::vector<V> values_;
  std::vector<double> weights_;
};

}  // namespace calibrant
