// How the rows of an (n, k) array are cut into blocks: a function of n and k alone, never of the threads, so that
// sums that are reduced in block order are bit-equal for any number of threads.
#pragma once

#include <algorithm>
#include <cstddef>

namespace calibrant {

using Index = std::ptrdiff_t;

constexpr Index kSerialEntries = 1'000'000;           // below, waking a thread costs more than it saves
constexpr Index kAccumulatorBytes = Index{64} << 20;  // what the partial sums of all blocks may take
constexpr Index kFewestBlocks = 2;
constexpr Index kMostBlocks = 16;

struct Blocks {
  Index n;
  Index rows;  // of one block
  int count;

  Index first(int block) const { return block * rows; }
  Index last(int block) const { return std::min(n, (block + 1) * rows); }
};

// Blocks of n rows with k entries, each block with its own accumulators of `bytes` bytes.
inline Blocks cut_rows(Index n, Index k, Index bytes) {
  const Index most = std::clamp(kAccumulatorBytes / std::max<Index>(bytes, 1), kFewestBlocks, kMostBlocks);
  const Index wanted = n * k < kSerialEntries ? 1 : most;
  const Index rows = std::max<Index>(1, (n + wanted - 1) / wanted);
  return {n, rows, static_cast<int>((n + rows - 1) / rows)};
}

}  // namespace calibrant
