#include "../clones/softmax.h"

#include "../runtime/pool.h"
#include "affine_task.h"
#include "bindings.h"

namespace calibrant {
namespace {

// Runs work(first row, rows, scratch row) over blocks of rows.
template <class T, class F>
void for_rows(Index n, Index k, int threads, F&& work) {
  const Blocks blocks = cut_rows(n, k, 0);
  const Index width = padded(k);
  std::vector<T> scratch(std::max(threads, 1) * width);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    work(blocks.first(block), blocks.last(block), scratch.data() + slot * width);
  });
}

template <class T>
void log_softmax_rows(Matrix<const T> scores, int threads, Matrix<T> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  for_rows<T>(n, k, threads, [&](Index first, Index last, T* scratch) {
    CALIBRANT_CALL_CLONE(log_softmax, scores.data() + first * k, last - first, k, out.data() + first * k, scratch);
  });
}

template <class T>
void softmax_rows(Matrix<const T> scores, double scale, int threads, Matrix<T> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  for_rows<T>(n, k, threads, [&](Index first, Index last, T* scratch) {
    CALIBRANT_CALL_CLONE(softmax, scores.data() + first * k, last - first, k, scale, out.data() + first * k, scratch);
  });
}

template <class T>
void log_rows(Matrix<const T> scores, double log_floor, int threads, Matrix<T> out) {
  const Index n = static_cast<Index>(scores.shape(0)), k = static_cast<Index>(scores.shape(1));
  for_rows<T>(n, k, threads, [&](Index first, Index last, T*) {
    CALIBRANT_CALL_CLONE(log_probabilities, scores.data() + first * k, (last - first) * k, log_floor,
                         out.data() + first * k);
  });
}

template <class T>
void affine_rows(Matrix<const T> scores, Vector<const double> scale, Vector<const double> shift,
                 Maybe<const double> log_normalizer, double log_floor, bool normalized, int threads, Matrix<T> out) {
  const OwnedAffineTask<T> owned(scores, scale, shift, log_normalizer, std::nullopt, log_floor);
  for_rows<T>(owned.task.n, owned.task.k, threads, [&](Index first, Index last, T* scratch) {
    if (!normalized) return CALIBRANT_CALL_CLONE(affine_logits, owned.task, first, last, out.data());
    CALIBRANT_CALL_CLONE(affine_softmax, owned.task, first, last, out.data(), scratch);
  });
}

template <class T>
void define(nb::module_& m) {
  const auto nogil = nb::call_guard<nb::gil_scoped_release>();
  m.def("log_softmax", &log_softmax_rows<T>, nb::arg("scores").noconvert(), nb::arg("threads"),
        nb::arg("out").noconvert(), nogil);
  m.def("softmax", &softmax_rows<T>, nb::arg("scores").noconvert(), nb::arg("scale"), nb::arg("threads"),
        nb::arg("out").noconvert(), nogil);
  m.def("log_probabilities", &log_rows<T>, nb::arg("scores").noconvert(), nb::arg("log_floor"), nb::arg("threads"),
        nb::arg("out").noconvert(), nogil);
  m.def("affine_rows", &affine_rows<T>, nb::arg("scores").noconvert(), nb::arg("scale").noconvert(),
        nb::arg("shift").noconvert(), nb::arg("log_normalizer").noconvert().none(), nb::arg("log_floor"),
        nb::arg("normalized"), nb::arg("threads"), nb::arg("out").noconvert(), nogil);
}

}  // namespace

void bind_softmax(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
