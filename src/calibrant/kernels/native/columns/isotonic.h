// Isotonic regression of one column, class against the rest, and the knots of the curve through its blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "folded.h"

namespace calibrant {

// `smoothing` pseudo-rows at the mean score of each block, labelled as the score says. Knots and levels are log-odds,
// or probabilities.
struct IsotonicRule {
  double smoothing;
  bool odds;
};

// One column of n scores. `others` holds 1 - p where p > kNearOne, nothing elsewhere; `outcomes` what each row counts
// in the class, from 0 to 1; `weights` are null for ones.
template <class V>
struct IsotonicColumn {
  const V* scores;
  const double *others, *outcomes, *weights;
  std::ptrdiff_t n;
};

// Fits columns one after the other. Memory is kept for the next column.
//
// Rows below the lowest score that has an outcome all end in the first block, so only the others are sorted: by the
// bits of their folded scores, eleven at a time.
template <class V>
class IsotonicFitter {
 public:
  explicit IsotonicFitter(const IsotonicRule& rule) : rule_(rule) {}

  // Appends the knots of a column: mean scores of the blocks, and their smoothed levels.
  void fit(const IsotonicColumn<V>& column, std::vector<double>& centres, std::vector<double>& levels);

 private:
  using Key = typename Folded<V>::Key;
  struct Entry {
    Key key;
    std::uint32_t row;
  };
  // Sums over rows of w q, w (1 - q), w p, w (1 - p) and w s, where s is the log-odds.
  struct Block {
    double inside, outside, p, rest, odds;
    double weight() const { return inside + outside; }
  };
  struct Pool {
    double inside, outside;
    std::ptrdiff_t blocks;
  };

  Key lowest_outcome(const IsotonicColumn<V>& column);
  void split(const IsotonicColumn<V>& column, Key lowest);
  void sort();
  void push(Block block);
  void write(std::vector<double>& centres, std::vector<double>& levels);
  double centre(const Block& block) const { return (rule_.odds ? block.odds : block.p) / block.weight(); }

  const IsotonicRule rule_;
  std::vector<Key> keys_;
  std::vector<Entry> entries_, buffer_;
  std::vector<Block> blocks_;
  std::vector<Pool> pools_;
};

}  // namespace calibrant
