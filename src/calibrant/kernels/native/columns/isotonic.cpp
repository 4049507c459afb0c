#include "isotonic.h"

#include <algorithm>
#include <array>
#include <utility>

namespace calibrant {
namespace {

using Index = std::ptrdiff_t;
constexpr double kSame = 1e-9;  // blocks whose means differ by less differ by the rounding of their sums
constexpr int kDigit = 11;      // bits that one round of the sort looks at
constexpr std::size_t kFew = 256;

}  // namespace

template <class V>
void IsotonicFitter<V>::fit(const IsotonicColumn<V>& column, std::vector<double>& centres,
                            std::vector<double>& levels) {
  blocks_.clear();
  split(column, lowest_outcome(column));
  sort();
  for (std::size_t e = 0; e < entries_.size();) {
    const Key key = entries_[e].key;
    Block ties{};
    for (; e < entries_.size() && entries_[e].key - key <= Folded<V>::kTie; ++e) {
      const Index i = entries_[e].row;
      const double w = column.weights ? column.weights[i] : 1, q = column.outcomes[i];
      ties.inside += w * q;
      ties.outside += w * (1 - q);
    }
    const auto [p, rest] = Folded<V>::pair(key);
    const double w = ties.weight();
    ties.p = w * p, ties.rest = w * rest, ties.odds = w * std::log(p / rest);
    push(ties);
  }
  write(centres, levels);
}

// Leaves the keys of all rows, and returns the lowest of those with an outcome.
template <class V>
auto IsotonicFitter<V>::lowest_outcome(const IsotonicColumn<V>& column) -> Key {
  keys_.resize(column.n);
  Key lowest = std::numeric_limits<Key>::max();
  for (Index i = 0; i < column.n; ++i) {
    keys_[i] = Folded<V>::key(column.scores[i], [&] { return column.others[i]; });
    if (column.outcomes[i] > 0) lowest = std::min(lowest, keys_[i]);
  }
  return lowest;
}

// Sums the rows below `lowest` to the first block, and keeps the others.
template <class V>
void IsotonicFitter<V>::split(const IsotonicColumn<V>& column, Key lowest) {
  Block first{};
  entries_.resize(column.n);
  std::size_t kept = 0;
  for (Index i = 0; i < column.n; ++i) {
    entries_[kept] = {keys_[i], static_cast<std::uint32_t>(i)};
    const bool low = keys_[i] < lowest && lowest - keys_[i] > Folded<V>::kTie;
    kept += !low;
    if (!low) continue;
    const double w = column.weights ? column.weights[i] : 1;
    const auto [p, rest] = Folded<V>::pair(keys_[i]);
    first.outside += w;
    first.p += w * p, first.rest += w * rest, first.odds += w * std::log(p / rest);
  }
  entries_.resize(kept);
  if (first.outside > 0) blocks_.push_back(first);
}

// By least significant digits; a digit that all keys share takes no round.
template <class V>
void IsotonicFitter<V>::sort() {
  const auto smaller = [](const Entry& a, const Entry& b) { return a.key < b.key; };
  if (entries_.size() < kFew) return std::stable_sort(entries_.begin(), entries_.end(), smaller);
  constexpr Key kMask = (Key{1} << kDigit) - 1;
  std::array<std::uint32_t, kMask + 1> starts;
  buffer_.resize(entries_.size());
  for (unsigned shift = 0; shift < 8 * sizeof(Key); shift += kDigit) {
    starts.fill(0);
    for (const Entry& entry : entries_) ++starts[(entry.key >> shift) & kMask];
    if (starts[(entries_[0].key >> shift) & kMask] == entries_.size()) continue;
    std::uint32_t before = 0;
    for (std::uint32_t& start : starts) before += std::exchange(start, before);
    for (const Entry& entry : entries_) buffer_[starts[(entry.key >> shift) & kMask]++] = entry;
    entries_.swap(buffer_);
  }
}

// Adds the next scores; blocks in the wrong order, or of one mean score after rounding, become one.
template <class V>
void IsotonicFitter<V>::push(Block block) {
  while (!blocks_.empty()) {
    const Block& before = blocks_.back();
    const double gap = block.inside * before.outside - before.inside * block.outside;
    if (gap > kSame * block.weight() * before.weight() && centre(before) < centre(block)) break;
    block.inside += before.inside, block.outside += before.outside;
    block.p += before.p, block.rest += before.rest, block.odds += before.odds;
    blocks_.pop_back();
  }
  blocks_.push_back(block);
}

// Small blocks are smoothed more, so that levels may fall again: those that do share one.
template <class V>
void IsotonicFitter<V>::write(std::vector<double>& centres, std::vector<double>& levels) {
  pools_.clear();
  for (const Block& block : blocks_) {
    centres.push_back(centre(block));
    const double each = rule_.smoothing / block.weight();
    Pool pool{block.inside + each * block.p, block.outside + each * block.rest, 1};
    while (!pools_.empty() && pools_.back().inside * pool.outside > pool.inside * pools_.back().outside) {
      const Pool& before = pools_.back();
      pool = {pool.inside + before.inside, pool.outside + before.outside, pool.blocks + before.blocks};
      pools_.pop_back();
    }
    pools_.push_back(pool);
  }
  for (const Pool& pool : pools_) {
    const double level = rule_.odds ? std::log(pool.inside / pool.outside) : pool.inside / (pool.inside + pool.outside);
    levels.insert(levels.end(), pool.blocks, level);
  }
}

template class IsotonicFitter<float>;
template class IsotonicFitter<double>;

}  // namespace calibrant
