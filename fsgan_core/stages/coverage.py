"""A chart of an appearance map: which sides of the face it shows and which are missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, floor
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..ops.pose_plane import on_plane
from ..words import plural
from .appearance_map import AppearanceMap

_YAW, _PITCH = 90.0, 50.0
"""Extent of the chart in degrees to each side."""
_REACH = 18.0
"""Distance in degrees up to which a view serves well."""
_TURNED = 10.0
"""Degrees from which on a view counts as turned to a side."""
_PAPER, _INK, _FAINT, _GRID = (250, 249, 246), (38, 42, 51), (139, 143, 152), (228, 226, 220)
_COVERED, _EDGE, _MARK = (221, 235, 226), (120, 160, 138), (196, 84, 52)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class _Wish:
    """A pose worth having, and the direction in which it lies."""

    pose: tuple[float, float]
    words: str = ""


_WISHES = (
    _Wish((0, 0)),
    _Wish((-35, 0), "to the picture's left"),
    _Wish((-75, 0), "to the picture's left"),
    _Wish((35, 0), "to the picture's right"),
    _Wish((75, 0), "to the picture's right"),
    _Wish((0, 28), "up"),
    _Wish((0, -28), "down"),
)
"""What a map should show; in each direction the nearest first."""


def missing(appearance: AppearanceMap) -> tuple[str, ...]:
    """Where no view of a map looks, such as ``"up"`` or ``"down by more than 20°"``; empty when it lacks none."""
    plane = on_plane(appearance.poses)
    phrases: dict[str, str] = {}
    for wish in _lacking(appearance):
        axis = int(np.argmax(np.abs(wish.pose)))
        far, reach = abs(wish.pose[axis]), float((np.sign(wish.pose[axis]) * plane[:, axis]).max())
        where = f" by about {far:.0f}°" if reach >= far else f" by more than {reach:.0f}°" if reach > _TURNED else ""
        phrases.setdefault(wish.words, wish.words + where if wish.words else "straight into the camera")
    return tuple(phrases.values())


def hint(appearance: AppearanceMap) -> str:
    """What a map lacks and what to do, in plain words."""
    lacking = missing(appearance)
    if not lacking:
        return "Nothing is missing."
    listed = lacking[0] if len(lacking) == 1 else f"{', '.join(lacking[:-1])} or {lacking[-1]}"
    return f"No view looks {listed}: add {'one' if len(lacking) == 1 else 'some'}."


def _lacking(appearance: AppearanceMap) -> list[_Wish]:
    plane = on_plane(appearance.poses)
    return [wish for wish in _WISHES if np.linalg.norm(plane - np.array(wish.pose), axis=1).min() > _REACH + 4]


def coverage_picture(appearance: AppearanceMap, size: tuple[int, int] = (1280, 860)) -> NDArray[np.uint8]:
    """Draw a map's views at their yaw and pitch.

    Args:
        appearance: the map.
        size: width and height in pixels, at least 480 by 360.

    Returns:
        uint8 ``(H, W, 3)`` RGB: the covered poses shaded, the triangulation, a thumbnail at each view's pose, a ring
        where a view is missing, and hints below.

    Raises:
        ValueError: the size is too small.
    """
    width, height = size
    if width < 480 or height < 360:
        raise ValueError(f"got a size of {width} by {height}, expected at least 480 by 360")
    # Drawn at twice the size and reduced: smooth lines.
    chart = _Chart(Image.new("RGB", (2 * width, 2 * height), _PAPER))
    chart.ground(appearance)
    chart.axes()
    chart.triangles(appearance)
    chart.wishes(appearance)
    chart.thumbnails(appearance)
    chart.words(appearance)
    return np.asarray(chart.picture.reduce(2), np.uint8).copy()


class _Chart:
    """A picture in the making, and where poses lie in it."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture, self.draw = picture, ImageDraw.Draw(picture)
        width, height = picture.size
        self.unit = min(width / 100, height / 67)
        left, right = 8 * self.unit, width - 4 * self.unit
        top, bottom = 10 * self.unit, height - 15 * self.unit
        self.frame = (left, top, right, bottom)
        self.scale = ((right - left) / (2 * _YAW), (bottom - top) / (2 * _PITCH))

    def at(self, yaw: float, pitch: float) -> tuple[float, float]:
        """Pixel of a pose; poses beyond the chart lie on its border."""
        left, top, right, bottom = self.frame
        x = (left + right) / 2 + float(np.clip(yaw, -_YAW, _YAW)) * self.scale[0]
        y = (top + bottom) / 2 - float(np.clip(pitch, -_PITCH, _PITCH)) * self.scale[1]
        return x, y

    def text(self, place: tuple[float, float], words: str, size: float, colour: tuple[int, ...], anchor: str) -> None:
        """Write a line."""
        self.draw.text(place, words, fill=colour, font=_font(size * self.unit), anchor=anchor)

    def ground(self, appearance: AppearanceMap) -> None:
        """Shade the poses that a view is near to."""
        self.draw.rectangle(self.frame, fill=(255, 255, 255))
        shade = Image.new("L", self.picture.size, 0)
        draw = ImageDraw.Draw(shade)
        for yaw, pitch in on_plane(appearance.poses):
            x, y = self.at(yaw, pitch)
            reach_x, reach_y = _REACH * self.scale[0], _REACH * self.scale[1]
            draw.ellipse((x - reach_x, y - reach_y, x + reach_x, y + reach_y), fill=255)
        inside = Image.new("L", self.picture.size, 0)
        ImageDraw.Draw(inside).rectangle(self.frame, fill=255)
        self.picture.paste(_COVERED, mask=Image.fromarray(np.minimum(np.asarray(shade), np.asarray(inside))))

    def axes(self) -> None:
        """Grid and scales."""
        left, top, right, bottom = self.frame
        line = max(1, round(0.12 * self.unit))
        for yaw in range(-90, 91, 30):
            x = self.at(yaw, 0)[0]
            self.draw.line((x, top, x, bottom), fill=_GRID, width=line)
            self.text((x, bottom + 0.9 * self.unit), f"{yaw:+d}°" if yaw else "0°", 1.5, _FAINT, "mt")
        for pitch in range(-40, 41, 20):
            y = self.at(0, pitch)[1]
            self.draw.line((left, y, right, y), fill=_GRID, width=line)
            self.text((left - 0.9 * self.unit, y), f"{pitch:+d}°" if pitch else "0°", 1.5, _FAINT, "rm")
        self.draw.rectangle(self.frame, outline=_GRID, width=line)
        middle = (left + right) / 2
        self.text((left, bottom + 3.4 * self.unit), "looks to the picture's left", 1.6, _INK, "lt")
        self.text((right, bottom + 3.4 * self.unit), "looks to the picture's right", 1.6, _INK, "rt")
        self.text((middle, bottom + 3.4 * self.unit), "yaw", 1.6, _FAINT, "mt")
        self.text((left + 0.8 * self.unit, top + 0.7 * self.unit), "looks up", 1.6, _FAINT, "lt")
        self.text((left + 0.8 * self.unit, bottom - 0.7 * self.unit), "looks down", 1.6, _FAINT, "lb")

    def triangles(self, appearance: AppearanceMap) -> None:
        """Edges between views."""
        cut = appearance.triangulation
        own = len(cut.points) - len(cut.ring)
        for triangle in cut.triangles:
            for one, other in zip(triangle, np.roll(triangle, 1), strict=True):
                if one < own and other < own:
                    ends = (*self.at(*cut.points[one]), *self.at(*cut.points[other]))
                    self.draw.line(ends, fill=_EDGE, width=max(1, round(0.16 * self.unit)))

    def wishes(self, appearance: AppearanceMap) -> None:
        """A dashed ring where a view is missing."""
        radius = 3.6 * self.unit
        for wish in _lacking(appearance):
            x, y = self.at(*wish.pose)
            for start in range(0, 360, 30):
                box = (x - radius, y - radius, x + radius, y + radius)
                self.draw.arc(box, start, start + 18, fill=_MARK, width=max(2, round(0.25 * self.unit)))
            self.text((x, y), "+", 3.4, _MARK, "mm")

    def thumbnails(self, appearance: AppearanceMap) -> None:
        """Each view at its pose, smaller where they crowd; the most frontal on top."""
        plane = on_plane(appearance.poses)
        places = np.array([self.at(*pose) for pose in plane])
        for number in np.argsort(-np.linalg.norm(plane, axis=1)):
            others = np.delete(places, number, 0)
            room = float(np.abs(others - places[number]).max(1).min(initial=np.inf))
            side = round(float(np.clip(0.92 * room, 3.4 * self.unit, 10 * self.unit)))
            face = _face(appearance, int(number)).resize((side, side), Image.Resampling.LANCZOS)
            corner = Image.new("L", (side, side), 0)
            ImageDraw.Draw(corner).rounded_rectangle((0, 0, side - 1, side - 1), side // 6, fill=255)
            left, top = (round(value - side / 2) for value in places[number])
            rim = max(2, round(0.18 * self.unit))
            box = (left - rim, top - rim, left + side - 1 + rim, top + side - 1 + rim)
            self.draw.rounded_rectangle(box, side // 6 + rim, fill=(255, 255, 255), outline=_EDGE, width=1)
            self.picture.paste(face, (left, top), corner)

    def words(self, appearance: AppearanceMap) -> None:
        """Title and hints."""
        left, _, right, bottom = self.frame
        count = len(appearance)
        yaw, pitch = on_plane(appearance.poses).T
        spans = f"yaw {yaw.min():+.0f}° to {yaw.max():+.0f}°, pitch {pitch.min():+.0f}° to {pitch.max():+.0f}°"
        self.text((left, 3.2 * self.unit), "Appearance map", 3.0, _INK, "lt")
        self.text((left, 6.9 * self.unit), f"{plural(count, 'view')}, {spans}", 1.7, _FAINT, "lt")
        for number, line in enumerate(_wrapped(hint(appearance), 84)):
            place = ((left + right) / 2, bottom + (8.2 + 2.7 * number) * self.unit)
            self.text(place, line, 1.9, _MARK if missing(appearance) else _EDGE, "mm")


def _wrapped(text: str, length: int) -> list[str]:
    """Lines of about equal length, none longer than so many characters."""
    lines = -(-len(text) // length)
    return wrap(text, max(-(-len(text) // lines) + 8, 20)) if lines > 1 else [text]


@cache
def _font(size: float) -> Font:
    return ImageFont.load_default(size)


def _face(appearance: AppearanceMap, number: int) -> Image.Image:
    """Square around a view's face."""
    view, points = Image.fromarray(appearance.views[number]), appearance.landmarks[number, :, :2]
    x, y = ((points.min(0) + points.max(0)) / 2).tolist()
    half = max(0.62 * float(np.ptp(points, axis=0).max()), 1.0)
    return view.crop((floor(x - half), floor(y - half), ceil(x + half), ceil(y + half)))
