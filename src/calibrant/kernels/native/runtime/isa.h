// Which clone of the kernels runs: chosen once, by what the processor can do.
#pragma once

namespace calibrant {

// True if the AVX2 + FMA clone runs; false for the baseline clone.
bool uses_v3();

// Chooses the clone by name ("baseline", "v3", or "auto" for the best one); false if it cannot run here.
bool choose_clone(const char* name);

// The name of the clone that runs.
const char* clone_name();

}  // namespace calibrant
