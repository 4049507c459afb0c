#include "../clones/row_variances.h"

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
void variances(Matrix<const T> scores, Maybe<const double> log_normalizer, Vector<const double> centre, bool logs,
               int threads, Vector<double> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  const double* shift = pointer(log_normalizer);
  const Blocks blocks = cut_rows(n, k, 0);
  run_blocks(blocks.count, threads, [&](int block, int) {
    const Index i = blocks.first(block);
    CALIBRANT_CALL_CLONE(row_variances, scores.data() + i * k, blocks.last(block) - i, k, shift ? shift + i : nullptr,
                         centre.data() + i, logs, out.data() + i);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("row_variances", &variances<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("centre").noconvert(), nb::arg("logs"), nb::arg("threads"), nb::arg("out").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_row_variances(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
