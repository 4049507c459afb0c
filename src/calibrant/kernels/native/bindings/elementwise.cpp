#include "../clones/elementwise.h"

#include "../runtime/arrays.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
void apply_function(int function, Vector<const T> in, Vector<T> out) {
  CALIBRANT_CALL_CLONE(apply, static_cast<Function>(function), in.data(), out.data(),
                       static_cast<std::ptrdiff_t>(in.size()));
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
}

}  // namespace calibrant
