// Groups of eight lanes: `f8` of floats, `d8` of doubles. GCC's and Clang's vector types give the same lanes on every
// instruction set, and sums whose order is fixed by the code, with no licence to reassociate.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#define CALIBRANT_INLINE static inline __attribute__((always_inline))

namespace calibrant {
namespace CALIBRANT_CLONE {

using Index = ptrdiff_t;
constexpr Index kLanes = 8;

// k rounded up to whole groups: the width of a row of scratch memory.
constexpr Index padded(Index k) { return (k + kLanes - 1) / kLanes * kLanes; }

using f4 = float __attribute__((vector_size(16)));
using f8 = float __attribute__((vector_size(32)));
using i8 = int32_t __attribute__((vector_size(32)));
using u8 = uint32_t __attribute__((vector_size(32)));
using d4 = double __attribute__((vector_size(32)));
using l4 = int64_t __attribute__((vector_size(32)));
using v4 = uint64_t __attribute__((vector_size(32)));

struct d8 {
  d4 lo, hi;
};

template <class T>
struct GroupOf;
template <>
struct GroupOf<float> {
  using type = f8;
};
template <>
struct GroupOf<double> {
  using type = d8;
};
template <class T>
using Group = typename GroupOf<T>::type;

// ---- making -------------------------------------------------------------------------------------------------
CALIBRANT_INLINE d4 splat4(double x) { return d4{x, x, x, x}; }
CALIBRANT_INLINE f8 splat(float x) { return f8{x, x, x, x, x, x, x, x}; }
CALIBRANT_INLINE d8 splat(double x) { return {splat4(x), splat4(x)}; }

template <class V>
CALIBRANT_INLINE V read(const void* from) {
  V v;
  memcpy(&v, from, sizeof v);
  return v;
}
CALIBRANT_INLINE f8 load(const float* from) { return read<f8>(from); }
CALIBRANT_INLINE d8 load(const double* from) { return {read<d4>(from), read<d4>(from + 4)}; }
CALIBRANT_INLINE void store(float* to, f8 v) { memcpy(to, &v, sizeof v); }
CALIBRANT_INLINE void store(double* to, d4 v) { memcpy(to, &v, sizeof v); }
CALIBRANT_INLINE void store(double* to, d8 v) {
  store(to, v.lo);  // half by half: a copy of the whole struct would go through memory
  store(to + 4, v.hi);
}

// The first `count` < 8 entries; the other lanes filled, or left alone.
#ifdef __AVX2__
CALIBRANT_INLINE i8 first_lanes(Index count) { return i8{0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)count; }
CALIBRANT_INLINE l4 first_lanes4(Index count) { return l4{0, 1, 2, 3} < (int64_t)count; }
CALIBRANT_INLINE f8 load_part(const float* from, Index count, float fill) {
  const i8 mask = first_lanes(count);
  return mask ? (f8)_mm256_maskload_ps(from, (__m256i)mask) : splat(fill);
}
CALIBRANT_INLINE d4 load_part4(const double* from, Index count, double fill) {
  const l4 mask = first_lanes4(count);
  return mask ? (d4)_mm256_maskload_pd(from, (__m256i)mask) : splat4(fill);
}
CALIBRANT_INLINE d8 load_part(const double* from, Index count, double fill) {
  return {load_part4(from, count, fill), load_part4(from + 4, count - 4, fill)};
}
CALIBRANT_INLINE void store_part(float* to, f8 v, Index count) {
  _mm256_maskstore_ps(to, (__m256i)first_lanes(count), (__m256)v);
}
CALIBRANT_INLINE void store_part(double* to, d8 v, Index count) {
  _mm256_maskstore_pd(to, (__m256i)first_lanes4(count), (__m256d)v.lo);
  _mm256_maskstore_pd(to + 4, (__m256i)first_lanes4(count - 4), (__m256d)v.hi);
}
#else
template <class T>
CALIBRANT_INLINE Group<T> load_part(const T* from, Index count, T fill) {
  T lanes[kLanes];
  for (Index j = 0; j < kLanes; ++j) lanes[j] = j < count ? from[j] : fill;
  return load(lanes);
}
template <class T, class V>
CALIBRANT_INLINE void store_part(T* to, V v, Index count) {
  T lanes[kLanes];
  store(lanes, v);
  for (Index j = 0; j < count; ++j) to[j] = lanes[j];
}
#endif

// ---- widening and narrowing ---------------------------------------------------------------------------------
#ifdef __AVX__
// By name: GCC makes four instructions of a vector conversion that is one.
CALIBRANT_INLINE d4 widen4(f4 v) { return (d4)_mm256_cvtps_pd((__m128)v); }
CALIBRANT_INLINE f4 narrow4(d4 v) { return (f4)_mm256_cvtpd_ps((__m256d)v); }
CALIBRANT_INLINE d8 widen(f8 v) {
  return {widen4((f4)_mm256_castps256_ps128((__m256)v)), widen4((f4)_mm256_extractf128_ps((__m256)v, 1))};
}
#else
CALIBRANT_INLINE d4 widen4(f4 v) { return __builtin_convertvector(v, d4); }
CALIBRANT_INLINE f4 narrow4(d4 v) { return __builtin_convertvector(v, f4); }
CALIBRANT_INLINE d8 widen(f8 v) {
  return {widen4(f4{v[0], v[1], v[2], v[3]}), widen4(f4{v[4], v[5], v[6], v[7]})};
}
#endif
CALIBRANT_INLINE d8 widen(d8 v) { return v; }
CALIBRANT_INLINE d8 load_wide(const float* from) { return {widen4(read<f4>(from)), widen4(read<f4>(from + 4))}; }
CALIBRANT_INLINE d8 load_wide(const double* from) { return load(from); }
CALIBRANT_INLINE void store_narrow(float* to, d8 v) {
  const f4 lo = narrow4(v.lo), hi = narrow4(v.hi);
  memcpy(to, &lo, sizeof lo);
  memcpy(to + 4, &hi, sizeof hi);
}
CALIBRANT_INLINE void store_narrow(double* to, d8 v) { store(to, v); }

// ---- arithmetic of d8 (f8 and d4 have it built in) ----------------------------------------------------------
CALIBRANT_INLINE d8 operator+(d8 a, d8 b) { return {a.lo + b.lo, a.hi + b.hi}; }
CALIBRANT_INLINE d8 operator-(d8 a, d8 b) { return {a.lo - b.lo, a.hi - b.hi}; }
CALIBRANT_INLINE d8 operator*(d8 a, d8 b) { return {a.lo * b.lo, a.hi * b.hi}; }
CALIBRANT_INLINE d8 operator/(d8 a, d8 b) { return {a.lo / b.lo, a.hi / b.hi}; }
CALIBRANT_INLINE d8 operator-(d8 a) { return {-a.lo, -a.hi}; }
CALIBRANT_INLINE d8& operator+=(d8& a, d8 b) { return a = a + b; }

// ---- choosing -----------------------------------------------------------------------------------------------
// a > b ? x : y, lane by lane; a NaN on either side chooses y.
CALIBRANT_INLINE f8 where_greater(f8 a, f8 b, f8 x, f8 y) { return a > b ? x : y; }
CALIBRANT_INLINE d4 where_greater(d4 a, d4 b, d4 x, d4 y) { return a > b ? x : y; }
CALIBRANT_INLINE d8 where_greater(d8 a, d8 b, d8 x, d8 y) {
  return {where_greater(a.lo, b.lo, x.lo, y.lo), where_greater(a.hi, b.hi, x.hi, y.hi)};
}
// The larger and the smaller; a NaN on either side gives `b`.
#ifdef __AVX__
CALIBRANT_INLINE f8 larger(f8 a, f8 b) { return (f8)_mm256_max_ps((__m256)a, (__m256)b); }
CALIBRANT_INLINE d4 larger(d4 a, d4 b) { return (d4)_mm256_max_pd((__m256d)a, (__m256d)b); }
CALIBRANT_INLINE f8 smaller(f8 a, f8 b) { return (f8)_mm256_min_ps((__m256)a, (__m256)b); }
CALIBRANT_INLINE d4 smaller(d4 a, d4 b) { return (d4)_mm256_min_pd((__m256d)a, (__m256d)b); }
#else
CALIBRANT_INLINE f8 larger(f8 a, f8 b) { return where_greater(a, b, a, b); }
CALIBRANT_INLINE d4 larger(d4 a, d4 b) { return where_greater(a, b, a, b); }
CALIBRANT_INLINE f8 smaller(f8 a, f8 b) { return where_greater(b, a, a, b); }
CALIBRANT_INLINE d4 smaller(d4 a, d4 b) { return where_greater(b, a, a, b); }
#endif
CALIBRANT_INLINE d8 larger(d8 a, d8 b) { return {larger(a.lo, b.lo), larger(a.hi, b.hi)}; }
CALIBRANT_INLINE d8 smaller(d8 a, d8 b) { return {smaller(a.lo, b.lo), smaller(a.hi, b.hi)}; }
// `v` where x is at least `low` or NaN, else 0.
CALIBRANT_INLINE f8 zero_below(f8 x, f8 low, f8 v) { return (f8)((i8)v & ~(i8)(x < low)); }
CALIBRANT_INLINE d4 zero_below(d4 x, d4 low, d4 v) { return (d4)((l4)v & ~(l4)(x < low)); }

// ---- reducing -----------------------------------------------------------------------------------------------
CALIBRANT_INLINE bool any4(l4 mask) {
#ifdef __AVX__
  return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
  return (mask[0] | mask[1] | mask[2] | mask[3]) != 0;
#endif
}
CALIBRANT_INLINE l4 greater_mask(f8 a, f8 b) { return (l4)(a > b); }
CALIBRANT_INLINE l4 greater_mask(d8 a, d8 b) { return (a.lo > b.lo) | (a.hi > b.hi); }
CALIBRANT_INLINE l4 at_least_mask(f8 a, f8 b) { return (l4)(a >= b); }
CALIBRANT_INLINE l4 at_least_mask(d8 a, d8 b) { return (a.lo >= b.lo) | (a.hi >= b.hi); }
CALIBRANT_INLINE l4 equal_mask(f8 a, f8 b) { return (l4)(a == b); }
CALIBRANT_INLINE l4 equal_mask(d8 a, d8 b) { return (a.lo == b.lo) | (a.hi == b.hi); }

// One bit a lane.
CALIBRANT_INLINE unsigned bits(l4 mask) {
#ifdef __AVX__
  return unsigned(_mm256_movemask_pd((__m256d)mask));
#else
  return unsigned((mask[0] & 1) | (mask[1] & 2) | (mask[2] & 4) | (mask[3] & 8));
#endif
}
CALIBRANT_INLINE unsigned bits(i8 mask) {
#ifdef __AVX__
  return unsigned(_mm256_movemask_ps((__m256)mask));
#else
  unsigned all = 0;
  for (int l = 0; l < 8; ++l) all |= unsigned(mask[l] & 1) << l;
  return all;
#endif
}
CALIBRANT_INLINE unsigned bits_above(f8 a, f8 b) { return bits(a > b); }
CALIBRANT_INLINE unsigned bits_above(d8 a, d8 b) { return bits(a.lo > b.lo) | bits(a.hi > b.hi) << 4; }
CALIBRANT_INLINE unsigned bits_equal(f8 a, f8 b) { return bits(a == b); }
CALIBRANT_INLINE unsigned bits_equal(d8 a, d8 b) { return bits(a.lo == b.lo) | bits(a.hi == b.hi) << 4; }

// Counts, lane by lane, how often x lies above a value; true is -1.
template <class T>
struct Counter;
template <>
struct Counter<float> {
  i8 count;
  void add(f8 x, f8 value) { count -= x > value; }
};
template <>
struct Counter<double> {
  l4 count;
  void add(d8 x, d8 value) { count -= (x.lo > value.lo) + (x.hi > value.hi); }
};
CALIBRANT_INLINE Index sum(l4 v) { return (v[0] + v[1]) + (v[2] + v[3]); }
CALIBRANT_INLINE Index sum(i8 v) { return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])); }

CALIBRANT_INLINE double sum(d8 v) {
  const d4 s = v.lo + v.hi;
  return (s[0] + s[1]) + (s[2] + s[3]);
}
template <class T, bool Largest>
CALIBRANT_INLINE T extreme(Group<T> v) {
  T lanes[kLanes];
  store(lanes, v);
  T best = lanes[0];
  for (int j = 1; j < kLanes; ++j) best = (Largest ? lanes[j] > best : lanes[j] < best) ? lanes[j] : best;
  return best;
}
template <class T>
CALIBRANT_INLINE T largest(Group<T> v) {
  return extreme<T, true>(v);
}
template <class T>
CALIBRANT_INLINE T smallest(Group<T> v) {
  return extreme<T, false>(v);
}

// ---- walking a row ------------------------------------------------------------------------------------------
// Calls f(j, group) for every group of a row; the lanes past the end of the row hold `fill`.
template <class T, class F>
CALIBRANT_INLINE void for_groups(const T* row, Index k, T fill, F&& f) {
  Index j = 0;
#pragma GCC unroll 2
  for (; j + kLanes <= k; j += kLanes) f(j, load(row + j));
  if (j < k) f(j, load_part(row + j, k - j, fill));
}

// Asks for the memory that will be read next. Without it, the processor waits at each row for what it could have
// fetched while it worked on the row before.
constexpr Index kAhead = 4096;  // bytes; between 1 and 8 kB it makes no difference
template <class T>
CALIBRANT_INLINE void prefetch(const T* at) {
  __builtin_prefetch(reinterpret_cast<const char*>(at) + kAhead, 0, 3);
}

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
