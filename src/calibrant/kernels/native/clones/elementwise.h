// exp and log of an array, by the lanes that every kernel uses: what the tests of fastmath.h call. Halves as floats.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../runtime/clones.h"

namespace calibrant {

enum class Function { exp, log, log1p };

CALIBRANT_DECLARE_CLONES(void apply(Function function, const float* in, float* out, std::ptrdiff_t n);
                         void apply(Function function, const double* in, double* out, std::ptrdiff_t n);
                         void widen_halves(const std::uint16_t* in, float* out, std::ptrdiff_t n);)

}  // namespace calibrant
