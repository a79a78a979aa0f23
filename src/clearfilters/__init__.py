"""Training, measuring and comparing CNNs whose filters can be read.

The names below are for networks and loops of one's own: docs/library.md shows each in use. They
are imported when they are first asked for, so that importing the package itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearfilters.analysis.features import FeatureSet as FeatureSet
    from clearfilters.analysis.gate_path import l1_density as l1_density
    from clearfilters.analysis.landmark_correlation import landmark_r2 as landmark_r2
    from clearfilters.analysis.leakage import other_image_shares as other_image_shares
    from clearfilters.analysis.location_instability import Peaks as Peaks
    from clearfilters.analysis.location_instability import landmark_peaks as landmark_peaks
    from clearfilters.analysis.location_instability import (
        location_instability as location_instability,
    )
    from clearfilters.analysis.map_geometry import MapGeometry as MapGeometry
    from clearfilters.analysis.mutual_information import (
        mutual_information_matrix as mutual_information_matrix,
    )
    from clearfilters.analysis.own_arrays import features_of as features_of
    from clearfilters.analysis.own_arrays import peaks_of as peaks_of
    from clearfilters.analysis.phi import Phi as Phi
    from clearfilters.analysis.phi import evaluate_phi as evaluate_phi
    from clearfilters.errors import ClearfiltersError as ClearfiltersError
    from clearfilters.methods.explainer import Encoder as Encoder
    from clearfilters.methods.gate import ClassSpecificGate as ClassSpecificGate
    from clearfilters.methods.gate import Csg as Csg
    from clearfilters.methods.gate import Lsg as Lsg
    from clearfilters.methods.gate import fixed_gate as fixed_gate
    from clearfilters.methods.gate import path_of_epoch as path_of_epoch
    from clearfilters.methods.layer_explainer import LayerExplainer as LayerExplainer
    from clearfilters.methods.part_filters import FilterLoss as FilterLoss
    from clearfilters.methods.part_filters import PaperFilterLoss as PaperFilterLoss
    from clearfilters.methods.part_filters import PartMask as PartMask

# Module -> what it gives.
_EXPORTS = {
    "methods.gate": ("ClassSpecificGate", "Lsg", "Csg", "fixed_gate", "path_of_epoch"),
    "methods.part_filters": ("PartMask", "FilterLoss", "PaperFilterLoss"),
    "methods.explainer": ("Encoder",),
    "methods.layer_explainer": ("LayerExplainer",),
    "analysis.own_arrays": ("features_of", "peaks_of"),
    "analysis.features": ("FeatureSet",),
    "analysis.phi": ("evaluate_phi", "Phi"),
    "analysis.gate_path": ("l1_density",),
    "analysis.mutual_information": ("mutual_information_matrix",),
    "analysis.leakage": ("other_image_shares",),
    "analysis.map_geometry": ("MapGeometry",),
    "analysis.location_instability": ("Peaks", "landmark_peaks", "location_instability"),
    "analysis.landmark_correlation": ("landmark_r2",),
    "errors": ("ClearfiltersError",),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """One of the names above."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    # The next time it is found without this function.
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
