"""A head that its picture cuts off is told of."""

from dataclasses import replace

import numpy as np

from fsgan_core.evaluation.cut_heads import told_cut
from fsgan_core.models import Models
from fsgan_core.stages.appearance_map import AppearanceMap


def lower(source: AppearanceMap, share: float) -> AppearanceMap:
    """Its picture without so much of the face's height above the brows."""
    top = int(source.landmarks[0, 105, 1] - (0.6 - share) * np.ptp(source.landmarks[0, :, 1]))
    landmarks = source.landmarks - np.array((0, top, 0), np.float32)
    return replace(source, views=(source.views[0][top:],), landmarks=landmarks)


def test_a_head_cut_off_is_told_of_unless_another_view_has_it(source: AppearanceMap, models: Models) -> None:
    assert told_cut(source, models.face_model) == ""
    cut = lower(source, 0.4)
    assert told_cut(cut, models.face_model).startswith("the source's head is cut off by the border of its picture")
    parts = {name: np.concatenate((getattr(source, name),) * 2) for name in ("poses", "boxes")}
    landmarks = np.concatenate((cut.landmarks, source.landmarks))
    both = AppearanceMap((*cut.views, *source.views), landmarks=landmarks, **parts)
    assert told_cut(both, models.face_model) == ""
