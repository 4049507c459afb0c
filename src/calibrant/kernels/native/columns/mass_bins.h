// Bins of equal mass in one column of scores, without sorting it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace calibrant {

// What all columns share: the number of bins, and the common unit of the weights (0: they have none).
struct MassRule {
  std::ptrdiff_t bins;
  double unit, threshold;
};

// What a column leaves: (bins + 1) edges, and per bin (rows, weighted sum of scores, weight, squared weight).
struct MassCells {
  static constexpr std::ptrdiff_t kFields = 4;
  std::vector<double> edges, sums;
  std::ptrdiff_t last = 0;  // the last bin that may hold scores

  // The bin of a score of the column.
  std::ptrdiff_t bin(double score) const;
};

// Cuts a column of m scores from `threshold` on, 0 or above, into bins of equal mass, ties together: a score is in the
// bin of its first unit, where unit u of N is in bin b if the N units are cut as evenly as whole units allow, the first
// N mod bins bins holding one more. An edge lies halfway between two scores. Memory is kept for the next column.
//
// The order of numbers from 0 on is that of their bits. A histogram over the leading bits tells in which buckets the
// bins end; only the scores of these buckets and of their next ones are sorted. All others enter a bin unsorted.
template <class V>
class MassCutter {
 public:
  explicit MassCutter(const MassRule& rule) : rule_(rule), starts_(rule.bins) {}

  // `weights` (m,) positive, or null for ones. The cells are valid until the next call.
  const MassCells& cut(const V* scores, const double* weights, std::ptrdiff_t m);

 private:
  struct Near {
    V score;
    double weight;
  };

  void find_range(const V* scores, std::ptrdiff_t m);
  std::ptrdiff_t bucket(V score) const;
  void fill(const V* scores, const double* weights, std::ptrdiff_t m);
  void count(const V* scores, std::ptrdiff_t m);
  void place_starts(double total);
  void mark_buckets();
  template <bool Weighted>
  void add_far(const V* scores, const double* weights, std::ptrdiff_t m);
  void add_near();
  void enter(double before);

  const MassRule rule_;
  MassCells cells_;
  std::uint64_t lowest_ = 0;
  int shift_ = 0;
  std::vector<double> before_;      // weight in each bucket, then before it
  std::vector<std::int32_t> bins_;  // of each bucket, or kNear
  std::vector<double> starts_;      // where each bin begins, infinity after the last
  std::vector<Near> near_;
  std::vector<double> copies_;
  double slack_ = 0;
  std::ptrdiff_t bin_ = 0;  // while walking upwards
};

}  // namespace calibrant
