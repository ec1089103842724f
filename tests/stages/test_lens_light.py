"""Light on and behind lenses: drawn to the cheek's colours, behind the lens alone, and never made brighter."""

from dataclasses import replace

import pytest
import torch

from fsgan_core.ops.flow import identity
from fsgan_core.stages.lens_light import dulled
from fsgan_core.stages.lenses import Lenses

SIZE = 160
SKIN = torch.tensor((0.7, 0.5, 0.4))[:, None, None]
LENSES = Lenses(
    radius=torch.ones(1, 2, 64),
    belief=torch.ones(1, 2, 64),
    centre=torch.tensor([[[45.0, 70.0], [115.0, 70.0]]]),
    axes=torch.eye(2)[None] * 24,
)
WHOLE = torch.ones(1, 1, SIZE, SIZE)


def face(mark=None):
    """Skin with a mark of a colour under the eye behind the first lens."""
    picture = SKIN.expand(3, SIZE, SIZE).clone()[None]
    if mark is not None:
        picture[..., 84:90, 36:54] = torch.tensor(mark)[:, None, None]
    return picture


def test_a_pale_mark_behind_a_lens_takes_the_colour_of_the_cheek():
    found = dulled(face((0.95, 0.85, 0.8)), WHOLE, LENSES)
    assert (found - face())[..., 84:87, 38:52].abs().max() < 0.17
    assert torch.equal(found[..., 96:, :], face()[..., 96:, :])


def test_eyes_stay_and_nothing_gets_brighter():
    eye = face()
    eye[..., 68:73, 40:50] = 0.95
    torch.testing.assert_close(dulled(eye, WHOLE, LENSES), eye)
    shade = face((0.2, 0.1, 0.1))
    torch.testing.assert_close(dulled(shade, WHOLE, LENSES), shade)


@pytest.mark.parametrize("name", ["no glasses", "no cheek"])
def test_nothing_changes_without(name):
    picture = face((0.95, 0.85, 0.8))
    lenses = replace(LENSES, belief=torch.zeros(1, 2, 64)) if name == "no glasses" else LENSES
    skin = WHOLE if name == "no glasses" else torch.zeros_like(WHOLE)
    torch.testing.assert_close(dulled(picture, skin, lenses), picture)


def test_lenses_move_with_their_picture():
    matrix, shift = torch.tensor([[[0.0, -2.0], [2.0, 0.0]]]), torch.tensor([[300.0, 10.0]])
    moved, places = LENSES.moved(matrix, shift), identity(8, 8, WHOLE)
    there = (matrix @ places.flatten(2)).view_as(places) + shift[..., None, None]
    torch.testing.assert_close(moved.away(there), LENSES.away(places))
    beyond = torch.tensor([0.0, 0.5])
    away = torch.stack([LENSES.away(LENSES.around(beyond)[:, :, lens])[:, lens] for lens in (0, 1)])
    torch.testing.assert_close(away.norm(dim=2), (1 + beyond).expand(2, 1, 64, 2))
