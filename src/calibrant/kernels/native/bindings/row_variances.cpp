#include "../clones/row_variances.h"

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
void variances(Matrix<const T> scores, Vector<const std::int32_t> top, Vector<const std::int64_t> labels, bool logits,
               bool logs, int threads, Vector<double> excess, Vector<double> variance) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  const VarianceTask<T> task{scores.data(), n,           k,           logits, logs, top.data(), labels.data(),
                             excess.data(), variance.data()};
  const Blocks blocks = cut_rows(n, k, 0);
  run_blocks(blocks.count, threads, [&](int block, int) {
    CALIBRANT_CALL_CLONE(row_variances, task, blocks.first(block), blocks.last(block));
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("row_variances", &variances<T>, nb::arg("scores").noconvert(), nb::arg("top").noconvert(),
        nb::arg("labels").noconvert(), nb::arg("logits"), nb::arg("logs"), nb::arg("threads"),
        nb::arg("excess").noconvert(), nb::arg("variance").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_row_variances(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
