"""Pictures that show what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from ..fsgan_core.faces import Analysis
    from ..fsgan_core.streams import Frame

_POINT, _BOX, _INK = (64, 224, 160), (255, 196, 64), (20, 20, 20)


def marked(frame: Frame, analysis: Analysis, index: int) -> Frame:
    """A frame with the landmarks, box and number of every face seen in it."""
    picture = Image.fromarray(frame)
    draw = ImageDraw.Draw(picture)
    unit = max(1, round(max(picture.size) / 640))
    font = ImageFont.load_default(12 * unit)
    for number, face in enumerate(analysis.faces):
        row = face.row(index)
        if row is None:
            continue
        left, top, right, bottom = (float(edge) for edge in face.track.boxes[row])
        draw.rectangle((left, top, right, bottom), outline=_BOX, width=unit)
        radius = 0.6 * unit
        for x, y in face.landmarks[row, :, :2].tolist():
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_POINT)
        yaw, pitch, roll = face.poses[row].tolist()
        words = f"{number}  yaw {yaw:.0f} pitch {pitch:.0f} roll {roll:.0f}"
        place = (left, max(0.0, top - 15 * unit))
        draw.rectangle(draw.textbbox(place, words, font=font), fill=_BOX)
        draw.text(place, words, _INK, font)
    return np.asarray(picture)
