// What module.cpp assembles: one function a concern.
#pragma once

#include <nanobind/nanobind.h>

namespace calibrant {

void bind_rows(nanobind::module_& module);
void bind_row_variances(nanobind::module_& module);
void bind_class_bins(nanobind::module_& module);
void bind_ranked(nanobind::module_& module);
void bind_replicates(nanobind::module_& module);
void bind_mass_bins(nanobind::module_& module);
void bind_isotonic(nanobind::module_& module);
void bind_curves(nanobind::module_& module);
void bind_score_cells(nanobind::module_& module);
void bind_values(nanobind::module_& module);
void bind_softmax(nanobind::module_& module);
void bind_fits(nanobind::module_& module);
void bind_random(nanobind::module_& module);
void bind_elementwise(nanobind::module_& module);
void bind_pair_weights(nanobind::module_& module);

}  // namespace calibrant
