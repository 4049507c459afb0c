#include "isa.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace calibrant {
namespace {

bool v3_can_run() {
#ifdef CALIBRANT_HAS_V3
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

bool first_choice() {
  const char* wish = std::getenv("CALIBRANT_ISA");
  return v3_can_run() && !(wish && std::strcmp(wish, "baseline") == 0);
}

std::atomic<bool>& choice() {
  static std::atomic<bool> v3{first_choice()};
  return v3;
}

}  // namespace

bool uses_v3() { return choice().load(std::memory_order_relaxed); }

bool choose_clone(const char* name) {
  const bool best = std::strcmp(name, "auto") == 0;
  const bool v3 = std::strcmp(name, "v3") == 0;
  if (!best && !v3 && std::strcmp(name, "baseline") != 0) return false;
  if (v3 && !v3_can_run()) return false;
  choice() = v3 || (best && v3_can_run());
  return true;
}

const char* clone_name() { return uses_v3() ? "v3" : "baseline"; }

}  // namespace calibrant
