#include "mass_bins.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace calibrant {
namespace {

using Index = std::ptrdiff_t;
constexpr Index kFewestBuckets = 64, kMostBuckets = 1 << 14;
constexpr Index kRowsPerBucket = 4;
constexpr Index kCopies = 4;  // of sums and extremes: one would wait for itself
constexpr std::int32_t kNear = -1;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::uint64_t bits(float x) {
  std::uint32_t b;
  std::memcpy(&b, &x, sizeof b);
  return b;
}
std::uint64_t bits(double x) {
  std::uint64_t b;
  std::memcpy(&b, &x, sizeof b);
  return b;
}

// Halfway between two scores; neighbours one bit apart have no middle.
double middle(double below, double above) {
  const double m = 0.5 * (below + above);
  return m < above ? m : below;
}

}  // namespace

// The inner edges below the score, counted without branches that would be mispredicted.
Index MassCells::bin(double score) const {
  const double* const first = edges.data() + 1;
  const double* at = first;
  Index left = static_cast<Index>(edges.size()) - 2;
  if (left == 0) return 0;
  while (left > 1) {
    const Index half = left / 2;
    at += at[half - 1] < score ? half : 0;
    left -= half;
  }
  return std::min<Index>(at - first + (*at < score), last);
}

template <class V>
Index MassCutter<V>::bucket(V score) const {
  return static_cast<Index>((bits(score) - lowest_) >> shift_);
}

template <class V>
const MassCells& MassCutter<V>::cut(const V* scores, const double* weights, Index m) {
  cells_.edges.assign(rule_.bins + 1, -kInfinity);
  cells_.edges[0] = rule_.threshold;
  cells_.sums.assign(rule_.bins * MassCells::kFields, 0.0);
  cells_.last = bin_ = 0;
  if (m > 0) {
    find_range(scores, m);
    weights ? fill(scores, weights, m) : count(scores, m);
    mark_buckets();
    near_.clear();
    weights ? add_far<true>(scores, weights, m) : add_far<false>(scores, weights, m);
    add_near();
    cells_.edges[cells_.last + 1] = 1.0;
  }
  for (Index b = 0; b < rule_.bins; ++b) cells_.edges[b + 1] = std::max(cells_.edges[b], cells_.edges[b + 1]);
  return cells_;
}

// As many buckets as the rows are worth, from the smallest score to the largest.
template <class V>
void MassCutter<V>::find_range(const V* scores, Index m) {
  V lows[kCopies], highs[kCopies];
  std::fill_n(lows, kCopies, scores[0]);
  std::fill_n(highs, kCopies, scores[0]);
  Index i = 0;
  for (; i + kCopies <= m; i += kCopies) {
    for (Index c = 0; c < kCopies; ++c) {
      lows[c] = std::min(lows[c], scores[i + c]);
      highs[c] = std::max(highs[c], scores[i + c]);
    }
  }
  for (; i < m; ++i) lows[0] = std::min(lows[0], scores[i]), highs[0] = std::max(highs[0], scores[i]);
  const V low = *std::min_element(lows, lows + kCopies), high = *std::max_element(highs, highs + kCopies);
  const Index most = std::clamp(m / kRowsPerBucket, kFewestBuckets, kMostBuckets);
  lowest_ = bits(low);
  for (shift_ = 0; bucket(high) >= most;) ++shift_;
  before_.assign(bucket(high) + 1, 0.0);
  bins_.assign(before_.size(), 0);
}

template <class V>
void MassCutter<V>::fill(const V* scores, const double* weights, Index m) {
  double* const before = before_.data();
  for (Index i = 0; i < m; ++i) before[bucket(scores[i])] += weights[i];
}

// The same for ones: whole numbers, in half of the memory, are faster to count.
template <class V>
void MassCutter<V>::count(const V* scores, Index m) {
  std::int32_t* const counts = bins_.data();
  for (Index i = 0; i < m; ++i) ++counts[bucket(scores[i])];
  std::copy(bins_.begin(), bins_.end(), before_.begin());
}

// Sums of weights that are not whole round just below a boundary: 1e-9 of a bin is rounding.
template <class V>
void MassCutter<V>::place_starts(double total) {
  const double bins = static_cast<double>(rule_.bins), units = rule_.unit > 0 ? std::round(total / rule_.unit) : 0;
  const double whole = std::floor(units / bins), extra = units - whole * bins;
  for (Index b = 1; b < rule_.bins; ++b) {
    const double at = static_cast<double>(b);
    starts_[b - 1] = rule_.unit > 0 ? rule_.unit * (at * whole + std::min(at, extra)) : at * (total / bins);
  }
  starts_[rule_.bins - 1] = kInfinity;
  slack_ = 1e-9 * total / bins;
}

// Moves on to the bin of a score with so much weight below it.
template <class V>
void MassCutter<V>::enter(double before) {
  while (starts_[bin_] <= before + slack_) ++bin_;
}

// Leaves in `before_` the weight before each bucket, and in `bins_` its bin, or kNear if a bin may end in it or begin
// right after it.
template <class V>
void MassCutter<V>::mark_buckets() {
  double total = 0;
  for (const double weight : before_) total += weight;
  place_starts(total);
  double before = 0;
  Index last = -1, first_bin = 0;
  for (Index q = 0; q < static_cast<Index>(before_.size()); ++q) {
    const double weight = before_[q];
    before_[q] = before;
    if (weight == 0) continue;
    enter(before);
    const bool cut = last >= 0 && bin_ != first_bin;
    if (cut) bins_[last] = kNear;
    bins_[q] = cut ? kNear : static_cast<std::int32_t>(bin_);
    before += weight;
    last = q;
    first_bin = bin_;
  }
  cells_.last = bin_;
  if (starts_[bin_] < total) bins_[last] = kNear;
  bin_ = 0;
}

// Adds the scores that are far from all ends of bins, and keeps the others.
template <class V>
template <bool Weighted>
void MassCutter<V>::add_far(const V* scores, const double* weights, Index m) {
  constexpr Index kFields = MassCells::kFields;
  const Index size = rule_.bins * kFields;
  copies_.assign(kCopies * size, 0.0);
  double* const copies = copies_.data();
  for (Index i = 0; i < m; ++i) {
    const double w = Weighted ? weights[i] : 1, score = static_cast<double>(scores[i]);
    const std::int32_t bin = bins_[bucket(scores[i])];
    if (bin == kNear) {
      near_.push_back({scores[i], w});
      continue;
    }
    double* cell = copies + i % kCopies * size + bin * kFields;
    cell[0] += 1, cell[1] += w * score;
    if (Weighted) cell[2] += w, cell[3] += w * w;
  }
  for (Index c = 0; c < kCopies * size; ++c) {
    const bool is_count = !Weighted && c % kFields >= 2;
    cells_.sums[c % size] += copies[is_count ? c / kFields * kFields : c];
  }
}

// Adds the kept scores in order, and finds the edges: each bin that is not the last ends between two of them.
template <class V>
void MassCutter<V>::add_near() {
  std::sort(near_.begin(), near_.end(), [](const Near& a, const Near& b) { return a.score < b.score; });
  double before = 0;
  Index last_bucket = -1;
  for (std::size_t i = 0; i < near_.size();) {
    const V score = near_[i].score;
    if (bucket(score) != last_bucket) before = before_[last_bucket = bucket(score)];
    const Index earlier = bin_;
    enter(before);
    if (i > 0 && bin_ != earlier) cells_.edges[earlier + 1] = middle(near_[i - 1].score, score);
    double* const cell = &cells_.sums[bin_ * MassCells::kFields];
    for (; i < near_.size() && near_[i].score == score; ++i) {
      const double w = near_[i].weight;
      cell[0] += 1, cell[1] += w * static_cast<double>(score), cell[2] += w, cell[3] += w * w;
      before += w;
    }
  }
  cells_.last = std::max(cells_.last, bin_);
}

template class MassCutter<float>;
template class MassCutter<double>;

}  // namespace calibrant
