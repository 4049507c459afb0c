// One source, several instruction sets: every file in clones/ is compiled once per namespace below.
//
// The rule for code in clones/: nothing with external linkage outside its own namespace may be instantiated
// there (no std templates, no std inline functions). The linker keeps one copy of such a function, and could
// keep the AVX2 copy for callers on a machine without AVX2.
#pragma once

#include "isa.h"

#ifdef CALIBRANT_HAS_V3
#define CALIBRANT_DECLARE_CLONES(...) \
  namespace baseline {                \
  __VA_ARGS__                         \
  }                                   \
  namespace v3 {                      \
  __VA_ARGS__                         \
  }
#define CALIBRANT_CALL_CLONE(function, ...) \
  (::calibrant::uses_v3() ? ::calibrant::v3::function(__VA_ARGS__) : ::calibrant::baseline::function(__VA_ARGS__))
#else
#define CALIBRANT_DECLARE_CLONES(...) \
  namespace baseline {                \
  __VA_ARGS__                         \
  }
#define CALIBRANT_CALL_CLONE(function, ...) ::calibrant::baseline::function(__VA_ARGS__)
#endif
