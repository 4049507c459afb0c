#include "../clones/affine.h"
#include "../clones/logistic.h"
#include "../clones/temperature.h"
#include "../runtime/pool.h"
#include "affine_task.h"
#include "bindings.h"

namespace calibrant {
namespace {

template <class T>
TemperatureSums temperature_blocks(const TemperatureTask<T>& task, int threads) {
  const Blocks blocks = cut_rows(task.n, task.k, 0);
  const Index size = 3 * padded(task.k);
  std::vector<T> scratch(std::max(threads, 1) * size);
  std::vector<TemperatureSums> parts(blocks.count);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    parts[block] = CALIBRANT_CALL_CLONE(temperature, task, blocks.first(block), blocks.last(block),
                                        scratch.data() + slot * size);
  });
  TemperatureSums sums;
  for (const TemperatureSums& part : parts) {
    sums.loss += part.loss;
    sums.gradient += part.gradient;
    sums.curvature += part.curvature;
    sums.third += part.third;
  }
  return sums;
}

// Returns (loss, gradient, curvature, third).
template <class T>
nb::tuple temperature_sums(Matrix<const T> scores, double beta, bool logits, Vector<const std::int32_t> top,
                           Maybe<const double> weights, double log_floor, int threads) {
  const TemperatureTask<T> task{scores.data(),   static_cast<Index>(scores.shape(0)),
                                static_cast<Index>(scores.shape(1)), logits, top.data(), pointer(weights),
                                beta,            log_floor};
  TemperatureSums sums;
  {
    nb::gil_scoped_release release;
    sums = temperature_blocks(task, threads);
  }
  return nb::make_tuple(sums.loss, sums.gradient, sums.curvature, sums.third);
}

// Runs work(first, last, the block's planes, scratch) over blocks of rows and leaves the sums in `out` (planes, k).
template <class T, class F>
void sum_planes(const AffineTask<T>& task, Index planes, Index scratch_rows, int threads, double* out, F&& work) {
  const Index width = padded(task.k), size = planes * width;
  const Blocks blocks = cut_rows(task.n, task.k, size * static_cast<Index>(sizeof(double)));
  std::vector<double> sums(blocks.count * size);
  std::vector<T> scratch(std::max(threads, 1) * scratch_rows * width);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    work(block, blocks.first(block), blocks.last(block), sums.data() + block * size,
         scratch.data() + slot * scratch_rows * width);
  });
  for (int block = 0; block < blocks.count; ++block) {
    for (Index s = 0; s < planes; ++s) {
      for (Index c = 0; c < task.k; ++c) out[s * task.k + c] += sums[block * size + s * width + c];
    }
  }
}

// Adds to `planes` (5, k) and returns the sum of the log normalizers.
template <class T>
double affine_sums(Matrix<const T> scores, Vector<const double> scale, Vector<const double> shift,
                   Maybe<const double> log_normalizer, Maybe<const double> weights, double log_floor, int threads,
                   Matrix<double> planes) {
  const OwnedAffineTask<T> owned(scores, scale, shift, log_normalizer, weights, log_floor);
  double normalizers[kMostBlocks] = {};
  sum_planes(owned.task, kAffinePlanes, 2 * kTile, threads, planes.data(),
             [&](int block, Index first, Index last, double* sums, T* scratch) {
               normalizers[block] = CALIBRANT_CALL_CLONE(affine, owned.task, first, last, sums, scratch);
             });
  double total = 0;
  for (double part : normalizers) total += part;
  return total;
}

// Adds to `planes` (6, k).
template <class T>
void logistic_sums(Matrix<const T> scores, Vector<const double> slope, Vector<const double> intercept,
                   Maybe<const double> log_normalizer, Maybe<const double> weights, double log_floor, int threads,
                   Matrix<double> planes) {
  const OwnedAffineTask<T> owned(scores, slope, intercept, log_normalizer, weights, log_floor);
  sum_planes(owned.task, kLogisticPlanes, kTile + 1, threads, planes.data(),
             [&](int, Index first, Index last, double* sums, T* scratch) {
               CALIBRANT_CALL_CLONE(logistic, owned.task, first, last, sums, scratch);
             });
}

template <class T>
void logistic_rows(Matrix<const T> scores, Vector<const double> slope, Vector<const double> intercept,
                   Maybe<const double> log_normalizer, double log_floor, int threads, Matrix<T> out) {
  const OwnedAffineTask<T> owned(scores, slope, intercept, log_normalizer, std::nullopt, log_floor);
  const Blocks blocks = cut_rows(owned.task.n, owned.task.k, 0);
  const Index size = 2 * padded(owned.task.k);
  std::vector<T> scratch(std::max(threads, 1) * size);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    CALIBRANT_CALL_CLONE(logistic_apply, owned.task, blocks.first(block), blocks.last(block), out.data(),
                         scratch.data() + slot * size);
  });
}

template <class T>
void define(nb::module_& m) {
  const auto nogil = nb::call_guard<nb::gil_scoped_release>();
  m.def("temperature_pass", &temperature_sums<T>, nb::arg("scores").noconvert(), nb::arg("beta"), nb::arg("logits"),
        nb::arg("top").noconvert(), nb::arg("weights").noconvert().none(), nb::arg("log_floor"),
        nb::arg("threads"));
  m.def("affine_pass", &affine_sums<T>, nb::arg("scores").noconvert(), nb::arg("scale").noconvert(),
        nb::arg("shift").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("weights").noconvert().none(), nb::arg("log_floor"), nb::arg("threads"),
        nb::arg("planes").noconvert(), nogil);
  m.def("logistic_pass", &logistic_sums<T>, nb::arg("scores").noconvert(), nb::arg("slope").noconvert(),
        nb::arg("intercept").noconvert(), nb::arg("log_normalizer").noconvert().none(),
        nb::arg("weights").noconvert().none(), nb::arg("log_floor"), nb::arg("threads"),
        nb::arg("planes").noconvert(), nogil);
  m.def("logistic_apply", &logistic_rows<T>, nb::arg("scores").noconvert(), nb::arg("slope").noconvert(),
        nb::arg("intercept").noconvert(), nb::arg("log_normalizer").noconvert().none(), nb::arg("log_floor"),
        nb::arg("threads"), nb::arg("out").noconvert(), nogil);
}

}  // namespace

void bind_fits(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
