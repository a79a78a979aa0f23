"""Which object part each filter is of, by the landmark that its peaks move with."""

from collections.abc import Mapping

import numpy as np

from clearfilters.analysis.defined import best_row
from clearfilters.analysis.landmark_correlation import landmark_r2
from clearfilters.analysis.location_instability import Peaks, Places, landmark_peaks


def part_of_filters(
    peaks: Peaks,
    landmarks: Mapping[str, Places],
    *,
    strongest: int,
    minimum_images: int,
    least_r2: float,
) -> list[str | None]:
    """The landmark with a filter's largest R² of position against landmark, if it is large enough.

    Args:
        peaks: of D filters in N images.
        landmarks: name -> places (N, 2), row and column in pixels, NaN where it is not visible.
        strongest: see `landmark_peaks`.
        minimum_images: the `minimum` there.
        least_r2: R² from which a filter is of the landmark's part.

    Returns:
        Of each filter the landmark's name, or None.
    """
    names = list(landmarks)
    options = {"strongest": strongest, "minimum": minimum_images}
    r2 = np.stack([landmark_r2(landmark_peaks(peaks, landmarks[n], **options)) for n in names])
    r2[np.isnan(r2) | (r2 < least_r2)] = 0
    return [names[row] if row >= 0 else None for row in best_row(r2)]
