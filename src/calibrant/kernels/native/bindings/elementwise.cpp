#include "../clones/elementwise.h"

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
void apply_function(int function, Vector<const T> in, Vector<T> out) {
  CALIBRANT_CALL_CLONE(apply, static_cast<Function>(function), in.data(), out.data(),
                       static_cast<std::ptrdiff_t>(in.size()));
}

void widen(Vector<const std::uint16_t> in, int threads, Vector<float> out) {
  const Blocks blocks = cut_rows(static_cast<Index>(in.size()), 1, 0);
  run_blocks(blocks.count, threads, [&](int block, int) {
    const Index first = blocks.first(block);
    CALIBRANT_CALL_CLONE(widen_halves, in.data() + first, out.data() + first, blocks.last(block) - first);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("apply_function", &apply_function<T>, nb::arg("function"), nb::arg("values").noconvert(),
        nb::arg("out").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_elementwise(nb::module_& m) {
  define<float>(m);
  define<double>(m);
  m.def("widen_halves", &widen, nb::arg("halves").noconvert(), nb::arg("threads"), nb::arg("out").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace calibrant
