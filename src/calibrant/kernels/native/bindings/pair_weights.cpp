#include "../clones/pair_weights.h"

#include <algorithm>

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
void weights_of_pairs(Matrix<const T> products, Vector<const T> query_norms, Vector<const T> norms,
                      Maybe<const T> log_weights, Maybe<const std::int32_t> labels, int kernel, double scale,
                      int threads, std::optional<Matrix<T>> weights, Matrix<double> columns,
                      std::optional<Matrix<double>> by_class) {
  PairTask<T> task{};
  task.products = products.data();
  task.m = static_cast<Index>(products.shape(0));
  task.n = static_cast<Index>(products.shape(1));
  task.k = by_class ? static_cast<Index>(by_class->shape(1)) : 0;
  task.query_norms = query_norms.data();
  task.norms = norms.data();
  task.log_weights = pointer(log_weights);
  task.labels = pointer(labels);
  task.kernel = static_cast<PairKernel>(kernel);
  task.scale = scale;
  task.weights = weights ? weights->data() : nullptr;
  task.nearest = columns.data();
  task.top = task.nearest + task.m;
  task.total = task.top + task.m;
  task.squares = task.total + task.m;
  task.by_class = by_class ? by_class->data() : nullptr;
  const Blocks blocks = cut_rows(task.m, task.n, 0);
  const Index slots = std::max(threads, 1);
  std::vector<T> scratch(weights ? 0 : slots * task.n);
  std::vector<double> tables(slots * 4 * task.k);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    CALIBRANT_CALL_CLONE(pair_weights, task, blocks.first(block), blocks.last(block),
                         weights ? nullptr : scratch.data() + slot * task.n, tables.data() + slot * 4 * task.k);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("pair_weights", &weights_of_pairs<T>, nb::arg("products").noconvert(), nb::arg("query_norms").noconvert(),
        nb::arg("norms").noconvert(), nb::arg("log_weights").noconvert().none(), nb::arg("labels").noconvert().none(),
        nb::arg("kernel"), nb::arg("scale"), nb::arg("threads"), nb::arg("weights").noconvert().none(),
        nb::arg("columns").noconvert(), nb::arg("by_class").noconvert().none(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_pair_weights(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
