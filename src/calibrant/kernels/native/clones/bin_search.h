// In which bin a value lies: the one definition that every histogram shares.
#pragma once

#include "lanes.h"

namespace calibrant {
namespace CALIBRANT_CLONE {

// The number of inner edges below `value` (right-closed bins) or not above it (left-closed ones).
CALIBRANT_INLINE Index search_bin(double value, const double* edges, Index bins, bool right) {
  Index low = 0, high = bins - 1;  // the answer lies in low..high
  while (low < high) {
    const Index middle = (low + high + 1) / 2;
    const bool above = right ? edges[middle] < value : edges[middle] <= value;
    low = above ? middle : low;
    high = above ? high : middle - 1;
  }
  return low;
}

// The same for edges that lie within a quarter of a width of equal spacing, `rate` bins a unit. The guess is then at
// most one bin off; it is corrected by the edges, without branches that would be mispredicted.
CALIBRANT_INLINE Index guess_bin(double value, const double* edges, Index bins, bool right, double rate) {
  Index b = Index((value - edges[0]) * rate);
  b = b < bins ? b : bins - 1;
  const bool below = right ? value <= edges[b] : value < edges[b];
  b -= below & (b > 0);
  const bool above = right ? value > edges[b + 1] : value >= edges[b + 1];
  return b + (above & (b < bins - 1));
}

// The bin of `value`, or -1 outside the edges; bins that span [0, 1] take what rounding has put above 1.
// `rate` is 0 for edges that are not equally spaced.
CALIBRANT_INLINE Index find_bin(double value, const double* edges, Index bins, bool right, double rate) {
  if (!(value >= edges[0])) return -1;
  if (value > edges[bins]) return edges[0] == 0 && edges[bins] == 1 ? bins - 1 : -1;
  return rate > 0 ? guess_bin(value, edges, bins, right, rate) : search_bin(value, edges, bins, right);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
