// exp, log and log1p over lanes. Range reduction to a small interval, then a polynomial that is minimax in relative
// error there (fitted by Lawson's iteration). Worst errors, against the same function in extended precision and
// checked by the tests: float 2 ulp; double 1e-15 relative. NaN in gives NaN out.
#pragma once

#include "lanes.h"

namespace calibrant {
namespace CALIBRANT_CLONE {

template <class V>
struct Real;

template <>
struct Real<f8> {
  using Bits = u8;
  static constexpr float kLog2E = 1.44269504088896341f;
  static constexpr float kLn2High = 0.693145751953125f, kLn2Low = 1.42860682030941723e-06f;
  static constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  static constexpr float kExpLowest = -88.0f;
  static constexpr float kSmallestNormal = 1.17549435e-38f, kLargest = 3.40282347e+38f;
  static constexpr float kRaise = 33554432.0f, kRaiseExponent = 25.0f;  // 2^25 makes a subnormal normal
  static constexpr int kMantissaBits = 23;
  static constexpr uint32_t kOne = 0x3f800000u, kSqrtHalf = 0x3f3504f3u, kMantissa = 0x007fffffu;
  static constexpr uint32_t kWhole = 0x4b000000u;  // 2^23: or-ing a small integer into it makes a float
  static constexpr float kWholeOffset = 8388608.0f + 127.0f;
  static constexpr float kExp[] = {0.4999922584903148f, 0.1666711816802059f, 0.04189098744920423f,
                                   0.008312430470774367f};
  static constexpr float kLog[] = {0.6666677671720163f, 0.3997749556529293f, 0.2987307358517136f};
  static constexpr float kLog1p[] = {0.6666667562193116f, 0.3999887774573668f, 0.286168847520395f,
                                     0.214276581423869f, 0.24300934091272058f};
  static f8 all(float x) { return splat(x); }
};

template <>
struct Real<d4> {
  using Bits = v4;
  static constexpr double kLog2E = 1.44269504088896340736;
  static constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kExpLowest = -709.0;
  static constexpr double kSmallestNormal = 2.2250738585072014e-308, kLargest = 1.7976931348623157e+308;
  static constexpr double kRaise = 18014398509481984.0, kRaiseExponent = 54.0;  // 2^54
  static constexpr int kMantissaBits = 52;
  static constexpr uint64_t kOne = 0x3ff0000000000000u, kSqrtHalf = 0x3fe6a09e667f3bcdu;
  static constexpr uint64_t kMantissa = 0x000fffffffffffffu, kWhole = 0x4330000000000000u;
  static constexpr double kWholeOffset = 4503599627370496.0 + 1023.0;
  static constexpr double kExp[] = {0.5000000000000011,     0.16666666666666408,   0.041666666666528115,
                                    0.00833333333349693,    0.0013888888944247769, 0.00019841269502700258,
                                    2.4801492388204718e-05, 2.7557588466944433e-06, 2.7630523971590246e-07,
                                    2.499984335395007e-08};
  static constexpr double kLog[] = {0.6666666666666735,  0.39999999999410785, 0.2857142874332715, 0.22222198469644666,
                                    0.18183570059782325, 0.1531389521891733,  0.1479758704699063};
  static constexpr double kLog1p[] = {0.6666666666666667,  0.3999999999999347,  0.28571428572601676,
                                      0.22222222117803342, 0.18181823558197618, 0.15384441967539236,
                                      0.1333698206900024,  0.11713971782584884, 0.10986251021491454,
                                      0.06941080259752244, 0.16556458838571372};
  static d4 all(double x) { return splat4(x); }
};

// c[0] + c[1] x + c[2] x^2 + ...
template <class V, class T, int N>
CALIBRANT_INLINE V polynomial(const T (&c)[N], V x) {
  V y = Real<V>::all(c[N - 1]);
  for (int j = N - 2; j >= 0; --j) y = y * x + Real<V>::all(c[j]);
  return y;
}

// exp(x) for x up to 88 (float) or 709 (double); below about 1e-38 or 1e-308 the result is 0.
template <class V>
CALIBRANT_INLINE V exp_lanes(V x) {
  using R = Real<V>;
  const V least = larger(R::all(R::kExpLowest), x);
  const V shifted = least * R::kLog2E + R::all(R::kRound);
  const V whole = shifted - R::kRound;
  const V r = least - whole * R::kLn2High - whole * R::kLn2Low;
  const V p = (polynomial<V>(R::kExp, r) * r + R::all(1)) * r + R::all(1);
  const V power = (V)(((typename R::Bits)shifted << R::kMantissaBits) + R::kOne);
  // A product, not a sum of exponents: NaN stays NaN whatever its bits are. The lowest x has a power of 0.
  return p * power;
}
CALIBRANT_INLINE d8 exp_lanes(d8 x) { return {exp_lanes(x.lo), exp_lanes(x.hi)}; }

// A positive x is 2^exponent (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), and log(1 + f) = f - (half - rest), half = f^2 / 2:
// = 2 atanh(s) = f - f^2/2 + s (f^2/2 + z P(z)), where the first two terms carry the precision.
template <class V>
struct LogParts {
  V exponent, f, half, rest;
};
template <class V>
CALIBRANT_INLINE LogParts<V> log_parts(V x) {
  using R = Real<V>;
  using Bits = typename R::Bits;
  const V tiny = R::all(R::kSmallestNormal);
  const V y = where_greater(tiny, x, x * R::kRaise, x);
  const Bits shifted = (Bits)y + (R::kOne - R::kSqrtHalf);  // y = 2^e m with m in [sqrt(1/2), sqrt(2))
  const V m = (V)((shifted & R::kMantissa) + R::kSqrtHalf);
  const V biased = (V)((shifted >> R::kMantissaBits) | R::kWhole) - R::kWholeOffset;
  const V e = where_greater(tiny, x, biased - R::kRaiseExponent, biased);
  const V f = m - R::all(1);
  const V s = f / (f + R::all(2)), z = s * s, half = R::all(0.5f) * f * f;
  return {e, f, half, s * (half + z * polynomial<V>(R::kLog, z))};
}

// log(x): log(0) = -infinity, log(infinity) = infinity, the log of a negative number is NaN.
template <class V>
CALIBRANT_INLINE V log_lanes(V x) {
  using R = Real<V>;
  const LogParts<V> parts = log_parts(x);
  const V rest = parts.rest + parts.exponent * R::kLn2Low;
  const V value = parts.exponent * R::kLn2High + (parts.f - (parts.half - rest));
  const V infinity = R::all(1) / R::all(0);
  const V finite = where_greater(x, R::all(R::kLargest), infinity, value);
  return where_greater(x, R::all(0), finite, x < R::all(0) ? infinity - infinity : x - infinity);
}
CALIBRANT_INLINE d8 log_lanes(d8 x) { return {log_lanes(x.lo), log_lanes(x.hi)}; }

// log(x) of positive x to 6e-8, whatever its size: what is large is in double precision.
CALIBRANT_INLINE d8 log_wide(f8 x) {
  const LogParts<f8> parts = log_parts(x);
  return widen(parts.exponent) * splat(0.693147180559945309417) + widen(parts.f - (parts.half - parts.rest));
}

// log(1 + x) for x in [0, 1], precise relative to the result: log(1 + x) = 2 atanh(x / (2 + x)).
template <class V>
CALIBRANT_INLINE V log1p_lanes(V x) {
  using R = Real<V>;
  const V s = x / (x + R::all(2)), z = s * s;
  return s + (s + s * z * polynomial<V>(R::kLog1p, z));
}
CALIBRANT_INLINE d8 log1p_lanes(d8 x) { return {log1p_lanes(x.lo), log1p_lanes(x.hi)}; }

}  // namespace CALIBRANT_CLONE
}  // namespace calibrant
