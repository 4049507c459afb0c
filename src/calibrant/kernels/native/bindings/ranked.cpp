#include "../clones/ranked.h"

#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
void ranked_rows(Matrix<const T> scores, Maybe<const double> log_normalizer, Vector<const std::int64_t> labels,
                 int threads, Vector<double> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  const RankedTask<T> task{scores.data(), n, k, pointer(log_normalizer), labels.data(), out.data()};
  const Index size = kRankedRows * padded(k), slots = std::max(threads, 1);
  std::vector<double> below(slots * size);
  std::vector<T> probabilities(log_normalizer ? slots * size : 0);
  const Blocks blocks = cut_rows(n, k, 0);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    T* const scratch = probabilities.empty() ? nullptr : probabilities.data() + slot * size;
    CALIBRANT_CALL_CLONE(ranked, task, blocks.first(block), blocks.last(block), below.data() + slot * size, scratch);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("ranked_rows", &ranked_rows<T>, nb::arg("scores").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("labels").noconvert(), nb::arg("threads"), nb::arg("out").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_ranked(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
