"""Zero-phase smoothing of measurements along a track.

The idea is FSGANv2's motion-adaptive mean (still faces are averaged over many frames, moving ones over few), without
its two defects: a mean lags at the ends of a clip and flattens every turn. Here each value is read off a straight line
fitted to its neighbourhood, so that steady motion is reproduced exactly at any width, and the width grows only as long
as the wider fit agrees with the narrower one up to the noise, so that a blink or a fast turn is never averaged away.
Past and future count alike: a reversed series gives the reversed result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..options import Range, check_ranges

Series = TypeVar("Series", torch.Tensor, NDArray[np.floating])
Doubles = NDArray[np.float64]

_GROUP = 64
"""Vectors smoothed at once; bounds the memory."""
_UNSEEN = 1e-4
"""Weight of an interpolated frame: it counts only where nothing was seen nearby."""
_ROUNDING = 1e-9
"""Relative size of what is taken for rounding."""
_THIRD_DIFFERENCE = 20**0.5
"""Standard deviation of the third difference of unit white noise."""
_TOLD = 20
"""Third differences from which noise can be told from motion: a blink alone is in eight of them."""


@dataclass(frozen=True, kw_only=True)
class SmoothingOptions:
    """How measurements are smoothed along a track."""

    width: Annotated[float, Range(0, 100, "frames")] = 5.0
    """standard deviation in frames of the window on a face that is still; 0 switches smoothing off"""
    trust: Annotated[float, Range(0.01, 100)] = 0.8
    """a wider window is given up where it departs from the narrower one by more than so many times the noise"""

    def __post_init__(self) -> None:
        check_ranges(self)


def smooth(
    series: Series,
    weights: Series | None = None,
    options: SmoothingOptions = SmoothingOptions(),  # noqa: B008 (frozen)
    period: float | None = None,
    jitter: float = 0.0,
) -> Series:
    """Smooth the measurements of one track.

    Args:
        series: ``(F, D)`` or ``(F, ..., D)``: F frames of D-vectors in any unit. Every vector is smoothed on its own
            and its coordinates move together: a pose, a box, each of the landmarks.
        weights: ``(F,)`` in [0, 1], how far each frame is to be trusted; where it is 0 the result is interpolated
            from the frames around it. All 1 when not given.
        options: see :class:`SmoothingOptions`.
        period: of angles, for instance 360; jumps from its one end to the other are no motion.
        jitter: movement that is never taken for real, in the series' unit. The noise is measured in the series
            itself, which misses slow wobble such as that of per-frame landmarks: about 0.2 % of the face's size.

    Returns:
        the smoothed series, same shape, dtype, device and kind.

    Raises:
        ValueError: shapes do not fit, or no frame has weight.
    """
    if isinstance(series, torch.Tensor):
        trusted = None if weights is None else np.asarray(torch.as_tensor(weights).cpu())
        result = _smooth(series.detach().cpu().numpy(), trusted, options, period, jitter)
        return torch.from_numpy(result).to(series)
    trusted = None if weights is None else np.asarray(weights)
    return _smooth(series, trusted, options, period, jitter).astype(series.dtype)


def _smooth(
    series: NDArray[np.floating],
    weights: NDArray[np.floating] | None,
    options: SmoothingOptions,
    period: float | None,
    jitter: float,
) -> Doubles:
    trusted = np.ones(len(series)) if weights is None else weights.astype(np.float64)
    if series.ndim < 2 or trusted.shape != series.shape[:1]:
        raise ValueError(f"got a series {series.shape} and weights {trusted.shape}, expected (F, ..., D) and (F,)")
    if not (trusted > 0).any():
        raise ValueError(f"none of {len(trusted)} frames has weight; expected at least one that was seen")
    vectors = series.reshape(len(series), -1, series.shape[-1])
    result = np.empty(vectors.shape)
    for first in range(0, vectors.shape[1], _GROUP):
        group = slice(first, first + _GROUP)
        filled = _fill(vectors[:, group].astype(np.float64), trusted > 0, period)
        result[:, group] = _adaptive(filled, trusted, options, jitter)
    if period is not None:
        result = (result + period / 2) % period - period / 2
    return result.reshape(series.shape)


def _fill(vectors: Doubles, seen: NDArray[np.bool_], period: float | None) -> Doubles:
    """Straight lines over the frames in which nothing was seen; the ends are held."""
    known = np.flatnonzero(seen)
    values = vectors[known] if period is None else np.unwrap(vectors[known], period=period, axis=0)
    position = np.interp(np.arange(len(vectors)), known, np.arange(len(known)))
    before = position.astype(int)
    after = np.minimum(before + 1, len(known) - 1)
    part = (position - before)[:, None, None]
    return values[before] + part * (values[after] - values[before])


def _adaptive(vectors: Doubles, weights: Doubles, options: SmoothingOptions, jitter: float) -> Doubles:
    """From the narrowest window to the widest, as far as they agree."""
    result = vectors
    if len(vectors) < 4 or options.width == 0:
        return result
    rounding = _ROUNDING * (1 + np.abs(vectors).max(axis=(0, 2), keepdims=True))
    limit = np.maximum(options.trust * _noise(vectors, weights > 0), np.maximum(jitter, rounding))
    trusted = np.maximum(weights, _UNSEEN)
    for width in options.width / np.array((8.0, 4.0, 2.0, 1.0)):
        wider = _line_fit(vectors, trusted, width)
        # Averaged over the window, so that the choice of window does not itself flicker.
        departure = _window_mean(((wider - result) ** 2).sum(-1, keepdims=True), trusted, width)
        allowed = limit**2 + np.finfo(np.float64).tiny
        share = np.clip(2 - departure / allowed, 0, 1)
        result = result + share * (wider - result)
    return result


def _noise(vectors: Doubles, seen: NDArray[np.bool_]) -> Doubles:
    """Noise ``(1, N, 1)`` of each vector: the robust size of its third differences, in which motion hardly shows.

    Of a few frames most may be motion, so that the fewer there are the less of it is believed.
    """
    third = np.diff(vectors, 3, axis=0)[np.lib.stride_tricks.sliding_window_view(seen, 4).all(1)]
    if not len(third):
        return np.zeros((1, vectors.shape[1], 1))
    size = np.median(np.abs(third), axis=0, keepdims=True) * 1.4826 / _THIRD_DIFFERENCE
    return min(1.0, len(third) / _TOLD) * np.sqrt((size**2).sum(-1, keepdims=True))


def _window(width: float) -> tuple[Doubles, Doubles]:
    """Offsets in frames and the Gaussian over them."""
    offset = np.arange(-int(np.ceil(3 * width)), int(np.ceil(3 * width)) + 1.0)
    return offset, np.exp(-0.5 * (offset / width) ** 2)


def _line_fit(vectors: Doubles, weights: Doubles, width: float) -> Doubles:
    """Value at each frame of the straight line fitted to its weighted neighbourhood."""
    offset, window = _window(width)

    def moment(values: Doubles, power: int) -> Doubles:
        return ndimage.correlate1d(values, window * offset**power, axis=0, mode="constant")

    weight = weights[:, None, None]
    zeroth, first, second = (moment(weight, power) for power in range(3))
    spread = zeroth * second - first**2
    slope = (zeroth * moment(weight * vectors, 1) - first * moment(weight * vectors, 0)) / spread
    return (moment(weight * vectors, 0) - slope * first) / zeroth


def _window_mean(values: Doubles, weights: Doubles, width: float) -> Doubles:
    """Weighted mean around each frame."""
    _, window = _window(width)
    weight = weights[:, None, None]
    total = ndimage.correlate1d(weight * values, window, axis=0, mode="constant")
    return total / ndimage.correlate1d(weight, window, axis=0, mode="constant")
