"""The fitting network learns what a shift is for: a drawing that is nearer to the photo."""

import pytest
import torch

from fsgan_core.demo import HOPPER
from fsgan_core.networks.flow_net import WINDOW
from fsgan_core.stages.alignment import LOOKS
from fsgan_core.training.fitting import misfit, shifted


class Nudge(torch.nn.Module):
    """Finds the same shift everywhere, in pixels of the window."""

    def __init__(self, right: float) -> None:
        super().__init__()
        self.right = right

    def forward(self, drawn: torch.Tensor, target: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
        shift = torch.zeros(len(drawn), 2, WINDOW // 4, WINDOW // 4)
        shift[:, 0] = self.right
        return shift


@pytest.mark.parametrize(("right", "nearer"), [(3.0, True), (0.0, False), (-3.0, False)])
def test_a_shift_counts_by_how_near_the_drawing_gets_to_the_photo(right: float, nearer: bool) -> None:
    picture = torch.from_numpy(HOPPER.read().frame).permute(2, 0, 1)[None].float()
    photo = torch.nn.functional.interpolate(picture, (WINDOW, WINDOW), mode="area")
    cover = torch.zeros(1, 1, WINDOW // 2, WINDOW // 2)
    cover[..., 30:-30, 30:-30] = 1
    batch = {"target": photo.round().byte(), "cover": cover}
    image = photo.roll(3, 3) / 255
    before, after = misfit(image, batch), misfit(shifted(Nudge(right / LOOKS), image, photo / 255, cover)[-1], batch)
    assert (after["structure"] < 0.3 * before["structure"]) == nearer
    assert (after["expression"] < 0.5 * before["expression"]) == nearer
