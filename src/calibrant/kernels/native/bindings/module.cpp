// The extension module `_native`: kernels on arrays that the Python side has allocated; no checks of values.
#include "bindings.h"

#include "../runtime/isa.h"

NB_MODULE(_native, m) {
  m.doc() = "Native kernels; see the typed functions in calibrant.kernels.";
  m.def("choose_clone", &calibrant::choose_clone, nanobind::arg("name"),
        "Choose the instruction set by name (auto, v3 or baseline); False if this machine cannot run it.");
  m.def("clone_name", &calibrant::clone_name, "The instruction set in use.");
  calibrant::bind_rows(m);
  calibrant::bind_row_variances(m);
  calibrant::bind_class_bins(m);
  calibrant::bind_ranked(m);
  calibrant::bind_replicates(m);
  calibrant::bind_mass_bins(m);
  calibrant::bind_isotonic(m);
  calibrant::bind_curves(m);
  calibrant::bind_score_cells(m);
  calibrant::bind_values(m);
  calibrant::bind_softmax(m);
  calibrant::bind_fits(m);
  calibrant::bind_random(m);
  calibrant::bind_elementwise(m);
  calibrant::bind_pair_weights(m);
}
