// The array types of the bindings: C-contiguous, on the CPU, never converted or copied.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace calibrant {

namespace nb = nanobind;

template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Maybe = std::optional<Vector<T>>;

template <class T>
T* pointer(const Maybe<T>& array) {
  return array ? array->data() : nullptr;
}

// A row of k doubles, padded to whole groups of eight lanes.
constexpr std::ptrdiff_t padded(std::ptrdiff_t k) { return (k + 7) / 8 * 8; }

// How many numbers scan_rows leaves of a row to search it by: eight of each stretch of 64 classes.
constexpr std::ptrdiff_t tops_of_row(std::ptrdiff_t k) { return (k + 63) / 64 * 8; }

}  // namespace calibrant
