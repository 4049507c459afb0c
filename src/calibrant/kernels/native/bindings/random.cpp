#include "../clones/draws.h"
#include "../runtime/arrays.h"
#include "../runtime/blocks.h"
#include "../runtime/pool.h"
#include "bindings.h"

namespace calibrant {
namespace {

// The finaliser of SplitMix64: every bit of the input changes every bit of the output about half of the time.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// A uniform in (0, 1), 52 bits of it, for every id: two rounds of mixing, each with a key of seed and replicate.
void fill_uniforms(Vector<const std::uint64_t> ids, std::uint64_t seed, std::uint64_t replicate, int threads,
                   Vector<double> out) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15u;  // 2^64 over the golden ratio
  const std::uint64_t first_key = mix(seed + odd), second_key = mix(first_key ^ mix(replicate + 2 * odd));
  const Blocks blocks = cut_rows(static_cast<Index>(ids.size()), 1, 0);
  run_blocks(blocks.count, threads, [&](int block, int) {
    for (Index i = blocks.first(block); i < blocks.last(block); ++i) {
      const std::uint64_t bits = mix(mix(ids.data()[i] * odd + second_key) + first_key);
      out.data()[i] = (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
    }
  });
}

// The quantile function of the Poisson distribution of mean 1: the first count whose cumulative probability reaches u.
void poisson_quantiles(Vector<const double> uniforms, int threads, Vector<double> out) {
  constexpr double kAtZero = 0.36787944117144233;  // exp(-1)
  const Blocks blocks = cut_rows(static_cast<Index>(uniforms.size()), 1, 0);
  run_blocks(blocks.count, threads, [&](int block, int) {
    for (Index i = blocks.first(block); i < blocks.last(block); ++i) {
      double count = 0, term = kAtZero, cumulative = kAtZero;
      while (uniforms.data()[i] > cumulative && term > 0x1p-60) {
        count += 1;
        term /= count;
        cumulative += term;
      }
      out.data()[i] = count;
    }
  });
}

template <class T>
void draw(Matrix<const T> scores, Matrix<const double> uniforms, Maybe<const double> log_normalizer, int threads,
          Matrix<std::int32_t> labels) {
  const DrawTask<T> task{scores.data(),           static_cast<Index>(scores.shape(0)),
                         static_cast<Index>(scores.shape(1)), pointer(log_normalizer),
                         uniforms.data(),         static_cast<Index>(uniforms.shape(0)),
                         labels.data()};
  const Blocks blocks = cut_rows(task.n, task.k, 0);
  const Index width = padded(task.k);
  std::vector<double> cumulative(std::max(threads, 1) * width);
  std::vector<T> scratch(std::max(threads, 1) * width);
  run_blocks(blocks.count, threads, [&](int block, int slot) {
    CALIBRANT_CALL_CLONE(draw_labels, task, blocks.first(block), blocks.last(block), cumulative.data() + slot * width,
                         scratch.data() + slot * width);
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("draw_labels", &draw<T>, nb::arg("scores").noconvert(), nb::arg("uniforms").noconvert(),
        nb::arg("log_normalizer").noconvert().none(), nb::arg("threads"), nb::arg("labels").noconvert(),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_random(nb::module_& m) {
  const auto nogil = nb::call_guard<nb::gil_scoped_release>();
  m.def("uniforms", &fill_uniforms, nb::arg("ids").noconvert(), nb::arg("seed"), nb::arg("replicate"),
        nb::arg("threads"), nb::arg("out").noconvert(), nogil);
  m.def("poisson_quantiles", &poisson_quantiles, nb::arg("uniforms").noconvert(), nb::arg("threads"),
        nb::arg("out").noconvert(), nogil);
  define<float>(m);
  define<double>(m);
}

}  // namespace calibrant
