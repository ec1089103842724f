"""Eyes in the target's light: what stays of an iris is how it differs from the white, not from the skin around.

Skin is exchanged as a share of its own lightness, but a white has no share in how dark a skin is: on dark skin a pale
person's eyes would turn grey all over, on pale skin a dark person's pupils milky.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.color import ColorMatch, oklab_to_srgb, srgb_to_oklab
from ..ops.fineness import grained, softened
from ..ops.flow import identity, sample
from ..ops.head_mesh import Placement, points
from ..ops.masks import smoothstep
from ..ops.relighting import at_lightness, relit, saturation
from .eyes import Eye, white_of
from .openings import LEFT, RIGHT
from .views import View

_CHEEKS = {RIGHT: (50, 101, 118, 117, 119, 100, 205), LEFT: (280, 330, 347, 346, 348, 329, 425)}
"""Points of the skin below each eye: what of the light the eye gets too."""
_SKIN = 0.03
"""How far around each skin is looked at, in distances between the outer eye corners."""
_USUAL, _TINT = (0.38, 0.31), 0.5
"""Lightness of whites over that of the skin below them (OKLab, 492 eyes of portraits: 0.14 off), and their share of its
saturation, which cheeks and lids throw onto them."""
_BELIEVED, _MOST = (0.8, 0.5, 0.5), (0.25, 0.03, 0.03)
"""How far a white is believed to differ from what is usual, and how far it may; in lightness and saturation."""
_SHADE = 0.4
"""How much darker whites are between lids that are nearly shut, whose lashes hang over them."""
_NARROW, _OPEN = 0.12, 0.26
"""Apertures up to which no white is seen between lashes, and from which on it is."""
_TURNED = (0.5, 0.77)
"""Cosines of how far a head is turned from which on its eyes are lit anew, and lit wholly: 60 and 40 degrees."""
_BRIGHTER = 1.25
"""Most that an eye is lit more brightly than it was: of an eye in shadow little is known."""
_GLINT, _BRIGHTEST = 0.6, 0.2
"""Share of what is lighter than the white that stays, reflections of the source's lamps, and most of it."""
_SOFT = 0.014
"""Width of the edge inside the lids, in distances between the outer eye corners."""


def source_whites(view: View) -> Tensor:
    """OKLab of a view's whites, right and left, and how far its eyes are seen from the front: ``(2, 4)``."""
    usual, beyond = _whites(view.levels[0], view.placement)
    return functional.pad(_added(usual, beyond), (0, 1), value=_frontal(view.placement))


def unusual_whites(picture: Tensor, face: Placement) -> Tensor:
    """How whites differ from what they usually are, seen against the skin below them: ``(1, 2, 3)``.

    Of lightness and saturation; nought where none is seen. To be measured once a track.

    Args:
        picture: ``(1, 3, H, W)`` in [0, 1].
        face: the one in it.
    """
    return _whites(picture, face)[1][None]


def eyes_lit(
    blended: Tensor, drawn: Tensor, target: Tensor, mask: Tensor, face: Placement, whites: Tensor, color: ColorMatch
) -> Tensor:
    """A blended picture with what is between its lids lit like the target's eyes; not in faces seen from their side.

    Args:
        blended: ``(1, 3, S, S)`` in [0, 1].
        drawn: ``(1, 3, S, S)`` the face before it was blended.
        target: ``(1, 3, S, S)``.
        mask: ``(1, 1, S, S)`` how far eyes may be lit.
        face: the target's, in pixels of all of them.
        whites: ``(2, 4)`` of the face drawn; see :func:`source_whites`.
        color: what it was matched with.
    """
    share = _frontal(face) * float(whites[:, 3].amin())
    if share == 0:
        return blended
    eyes, result = _eyes(face), blended.clone()
    wanted = _added(_usual(target, face, eyes), color.whites[0].to(blended))
    blur, noise, grain = color.fineness.unbind(1)
    for eye, before, after in zip(eyes, whites[:, :3, None, None], wanted[..., None, None], strict=True):
        part = eye.window(blended)
        if min(mask[part].shape[2:]) > 1:
            own = softened(drawn[part], mask[part], blur)
            lit = grained(_relit(own, before[None], after[None]), target[part], noise, grain).clamp(0, 1)
            corner = own.new_tensor((part[2].start, part[1].start))[:, None, None]
            cover = eye.opening(identity(own.shape[2], own.shape[3], own)[0] + corner, _SOFT)
            result[part] = torch.lerp(blended[part], lit, share * cover * mask[part])
    return result


def _relit(eye: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Colours ``(1, 3, h, w)`` with another white; both are OKLab ``(1, 3, 1, 1)``."""
    lightness = torch.minimum(after[:, :1], _BRIGHTER * before[:, :1])
    after = at_lightness(lightness, saturation(after))
    lab = relit(srgb_to_oklab(eye), before, after, eye.new_tensor((1, _GLINT, 1)).view(1, 3, 1, 1))
    return oklab_to_srgb(at_lightness(torch.minimum(lab[:, :1], lightness + _BRIGHTEST), saturation(lab)))


def _eyes(face: Placement) -> list[Eye]:
    return [Eye(face, region) for region in _CHEEKS]


def _whites(picture: Tensor, face: Placement) -> tuple[Tensor, Tensor]:
    """What whites usually are in such light, and how far they are not, as far as they are seen; ``(2, 3)`` each."""
    eyes, found = _eyes(face), []
    usual = _usual(picture, face, eyes)
    for eye, expected in zip(eyes, usual, strict=True):
        colour, share = white_of(picture, eye)
        lab = srgb_to_oklab(colour)
        beyond = torch.cat((lab[:, :1], saturation(lab)), 1)[0, :, 0, 0] - expected
        most = beyond.new_tensor(_MOST)
        seen = min(1.0, 4 * share) * _open(eye)
        found.append(seen * (beyond.new_tensor(_BELIEVED) * beyond).clamp(-most, most))
    return usual, torch.stack(found)


def _usual(picture: Tensor, face: Placement, eyes: list[Eye]) -> Tensor:
    """Lightness and saturation ``(2, 3)`` of whites between such lids, in such light as is on the skin below them."""
    places = points(face)[0, torch.tensor(tuple(_CHEEKS.values())).flatten(), :2]
    steps = torch.linspace(-1, 1, 5, device=places.device)
    around = float(face.scale) * _SKIN * torch.cartesian_prod(steps, steps)
    colours = sample(picture, (places[:, None] + around).permute(2, 0, 1)[None]).mean(3).view(1, 3, 2, -1)
    skin = srgb_to_oklab(colours).median(3, keepdim=True).values
    shade = [1 - _SHADE * (1 - _open(eye)) for eye in eyes]
    lightness = (_USUAL[0] * skin[:, :1] + _USUAL[1]) * skin.new_tensor(shade).view(1, 1, 2, 1)
    return torch.cat((lightness, _TINT * saturation(skin)), 1)[0, :, :, 0].T


def _frontal(face: Placement) -> float:
    """Whether a face is seen from where its eyes are as they are measured, in [0, 1]."""
    low, high = _TURNED
    return float(smoothstep((face.rotation[0, 2, 2].abs() - low) / (high - low)))


def _open(eye: Eye) -> float:
    """Whether an eye is open enough that its white is seen, in [0, 1]."""
    return float(smoothstep(torch.tensor((eye.aperture - _NARROW) / (_OPEN - _NARROW))))


def _added(usual: Tensor, beyond: Tensor) -> Tensor:
    """OKLab ``(2, 3)`` of both together."""
    values = (usual + beyond).view(2, 3, 1, 1)
    return at_lightness(values[:, :1].clamp_min(0.05), values[:, 1:])[..., 0, 0]
