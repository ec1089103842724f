"""Eyes in the target's light: what stays of an iris is how it differs from the white, not from the skin around.

Skin is exchanged as a share of its own lightness, but a white has no share in how dark a skin is: on dark skin a pale
person's eyes would turn grey all over, on pale skin a dark person's pupils milky.

A white is hard to measure: lashes, shadows and glints lie on it, and a narrow or averted eye hardly shows any. So it is
taken for what is usual in the light on the skin below, differs from that by a bounded share that both eyes have in
common, and where a source does not show any, its eyes are relit with its skin.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.color import ColorMatch, oklab_to_srgb, srgb_to_oklab
from ..ops.fineness import grained, softened
from ..ops.flow import identity, sample
from ..ops.head_mesh import Placement, points
from ..ops.masks import ramp, smoothstep
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
_PALEST = 1.6
"""Most of that lightness over the skin's: in the dark, as in a fade, no eye shines."""
_BELIEVED = (0.8, 0.5, 0.5)
_LEAST, _MOST = (-0.16, -0.03, -0.03), (0.3, 0.03, 0.03)
"""How far whites are believed to differ from what is usual, and how far they may; of the lightness' logarithm and of
saturation. What is bright is white, or nearly; what is dark may be lashes."""
_ASIDE = 0.1
"""How far one eye may differ in this from what is found in both."""
_LIKELY, _GLARE = (0.5, 0.75), (1.6, 2.0)
"""Shares of the usual lightness below which what is brightest beside an iris is lashes or shadow, and beyond which lid
or glint; and from which on, and up to which, it is a white."""
_PLAIN, _UNLIKE = 0.75, 0.55
"""Lightness of an iris over that of its white, from which on none is seen, and up to which one is."""
_SEEN = 0.4
"""How much white both eyes of a source have to show together for their light to be wholly known."""
_DARKER, _BRIGHTER = 0.75, 1.4
"""Least and most of the lightness that an eye has when it is relit with its skin: hats and brows shade eyes as well."""
_SHADE = 0.2
"""How much darker whites are between lids that are nearly shut, whose lashes hang over them."""
_NARROW, _OPEN = 0.12, 0.26
"""Apertures up to which no white is seen between lashes, and from which on it is."""
_SLIT = 0.06
"""Aperture up to which an eye is left as it is blended: lids nearly meet."""
_TURNED, _TILTED = (0.5, 0.77), (0.77, 0.91)
"""Cosines of how far a head is turned from which on its eyes are lit anew, and lit wholly: 60 and 40 degrees; and
of how far it is tilted up or down: 40 and 25."""
_GLINT, _BRIGHTEST = 0.6, 0.2
"""Share of what is lighter than the white that stays, reflections of the source's lamps, and most of it."""
_SOFT = 0.014
"""Width of the edge inside the lids, in distances between the outer eye corners."""


def source_whites(view: View) -> Tensor:
    """OKLab of a view's whites, right and left, and how well they are known: ``(2, 4)``."""
    usual, beyond, seen, shown = _whites(view.levels[0], view.placement)
    known = _frontal(view.placement) * smoothstep(seen.sum() / _SEEN) * shown
    return torch.cat((_varied(usual, beyond), known[:, None]), 1)


def unusual_whites(picture: Tensor, face: Placement) -> Tensor:
    """How whites differ from what they usually are, seen against the skin below them: ``(1, 2, 3)``.

    Of the lightness' logarithm and saturation; nought where none is seen. To be measured once a track.

    Args:
        picture: ``(1, 3, H, W)`` in [0, 1].
        face: the one in it.
    """
    return _whites(picture, face)[1][None]


def eyes_lit(
    blended: Tensor, drawn: Tensor, target: Tensor, mask: Tensor, face: Placement, whites: Tensor, color: ColorMatch
) -> Tensor:
    """A blended picture with what is between its lids lit like the target's eyes, as far as the source's are known.

    Args:
        blended: ``(1, 3, S, S)`` in [0, 1].
        drawn: ``(1, 3, S, S)`` the face before it was blended.
        target: ``(1, 3, S, S)``.
        mask: ``(1, 1, S, S)`` how far eyes may be lit.
        face: the target's, in pixels of all of them.
        whites: ``(2, 4)`` of the face drawn; see :func:`source_whites`.
        color: what it was matched with.
    """
    shares = (_frontal(face) * whites[:, 3]).tolist()
    if not any(shares):
        return blended
    eyes, result = _eyes(face), blended.clone()
    wanted = _varied(_usual(target, face, eyes), color.whites[0].to(blended))
    blur, *grain = color.fineness.unbind(1)
    for eye, before, after, share in zip(eyes, whites[:, :3, None, None], wanted[..., None, None], shares, strict=True):
        part = eye.window(blended)
        if min(mask[part].shape[2:]) > 1:
            own = softened(drawn[part], mask[part], blur)
            corner = own.new_tensor((part[2].start, part[1].start))[:, None, None]
            cover = eye.opening(identity(own.shape[2], own.shape[3], own)[0] + corner, _SOFT) * mask[part]
            after = _bounded(after[None], before[None], _gain(own, blended[part], cover))
            lit = grained(_relit(own, before[None], after), target, part, grain).clamp(0, 1)
            apart = ramp(torch.as_tensor(eye.aperture), (_SLIT, _NARROW))
            result[part] = torch.lerp(blended[part], lit, share * apart * cover)
    return result


def _relit(eye: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Colours ``(1, 3, h, w)`` with another white; both are OKLab ``(1, 3, 1, 1)``."""
    lab = relit(srgb_to_oklab(eye), before, after, eye.new_tensor((1, _GLINT, 1)).view(1, 3, 1, 1))
    return oklab_to_srgb(at_lightness(torch.minimum(lab[:, :1], after[:, :1] + _BRIGHTEST), saturation(lab)))


def _gain(drawn: Tensor, blended: Tensor, cover: Tensor) -> Tensor:
    """How many times as light ``()`` an eye ``(1, 3, h, w)`` has become with its skin."""
    before, after = ((cover * srgb_to_oklab(x)[:, :1]).sum() for x in (drawn, blended))
    return after / before.clamp_min(1e-3)


def _bounded(after: Tensor, before: Tensor, gain: Tensor) -> Tensor:
    """A white that is wanted instead of another, neither far lighter nor far darker than that times a gain."""
    least, most = (bound * gain * before[:, :1] for bound in (_DARKER, _BRIGHTER))
    return at_lightness(after[:, :1].clamp(least, most).clamp_min(0.05), saturation(after))


def _eyes(face: Placement) -> list[Eye]:
    return [Eye(face, region) for region in _CHEEKS]


def _whites(picture: Tensor, face: Placement) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What whites usually are in such light, how far they are not, ``(2, 3)`` each; see :func:`_measured` ``(2,)``."""
    eyes = _eyes(face)
    usual = _usual(picture, face, eyes)
    measured = [_measured(picture, *one) for one in zip(eyes, usual, strict=True)]
    found, seen, shown = (torch.stack(values) for values in zip(*measured, strict=True))
    both = (seen[:, None] * found).sum(0) / seen.sum().clamp_min(1e-3)
    each = both + (seen[:, None] * (found - both)).clamp(-_ASIDE, _ASIDE)
    believed = found.new_tensor(_BELIEVED) * seen.amax() * each
    return usual, believed.clamp(found.new_tensor(_LEAST), found.new_tensor(_MOST)), seen, shown


def _measured(picture: Tensor, eye: Eye, usual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far a white is from usual ``(3,)``; how much of one is seen, and if an iris stands out, ``()`` in [0, 1]."""
    colour, share = white_of(picture, eye)
    lab = srgb_to_oklab(colour)
    white, iris = lab[0, 0, 0, 0], _iris(picture, eye)
    ratio = white / usual[0]
    likely = ramp(ratio, _LIKELY) * (1 - ramp(ratio, _GLARE))
    apart = 1 - ramp(iris / white.clamp_min(1e-3), (_UNLIKE, _PLAIN))
    beyond = torch.cat((ratio.clamp_min(0.05).log()[None], saturation(lab)[0, :, 0, 0] - usual[1:]))
    return beyond, min(1.0, 4 * share) * _open(eye) * likely * apart, apart


def _iris(picture: Tensor, eye: Eye) -> Tensor:
    """Lightness ``()`` of an iris: the median of its disc, less its rim and what lids cover."""
    steps = torch.linspace(-0.7, 0.7, 7, device=picture.device) * eye.radius
    x, y = torch.meshgrid(steps, steps, indexing="ij")
    above, below = eye.room(x)
    y = torch.minimum(torch.maximum(y, -0.8 * above), 0.8 * below)
    return srgb_to_oklab(sample(picture, eye.pixels(torch.stack((x, y)))[None]))[0, 0].median()


def _usual(picture: Tensor, face: Placement, eyes: list[Eye]) -> Tensor:
    """Lightness and saturation ``(2, 3)`` of whites between such lids, in such light as is on the skin below them."""
    places = points(face)[0, torch.tensor(tuple(_CHEEKS.values())).flatten(), :2]
    steps = torch.linspace(-1, 1, 5, device=places.device)
    around = float(face.scale) * _SKIN * torch.cartesian_prod(steps, steps)
    colours = sample(picture, (places[:, None] + around).permute(2, 0, 1)[None]).mean(3).view(1, 3, 2, -1)
    skin = srgb_to_oklab(colours).median(3, keepdim=True).values
    shade = skin.new_tensor([1 - _SHADE * (1 - _open(eye)) for eye in eyes]).view(1, 1, 2, 1)
    lightness = torch.minimum(_USUAL[0] * skin[:, :1] + _USUAL[1], _PALEST * skin[:, :1]) * shade
    return torch.cat((lightness, _TINT * saturation(skin)), 1)[0, :, :, 0].T


def _frontal(face: Placement) -> float:
    """Whether a face is seen from where its eyes are as they are measured, in [0, 1]."""
    towards = face.rotation[0, :, 2]
    return float(ramp(towards[2].abs(), _TURNED) * ramp((1 - towards[1].square()).sqrt(), _TILTED))


def _open(eye: Eye) -> float:
    """Whether an eye is open enough that its white is seen, in [0, 1]."""
    return float(ramp(torch.as_tensor(eye.aperture), (_NARROW, _OPEN)))


def _varied(usual: Tensor, beyond: Tensor) -> Tensor:
    """OKLab ``(2, 3)`` of what is usual and how it differs from that."""
    lightness, tint = usual[:, :1] * beyond[:, :1].exp(), usual[:, 1:] + beyond[:, 1:]
    return at_lightness(*(x[..., None, None] for x in (lightness.clamp_min(0.05), tint)))[..., 0, 0]
