"""Results to look at: faces marked in a frame, a sheet of captioned pictures, a page of HTML beside what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from .faces import Analysis
from .streams import Frame

_GAP, _LINE = 16, 34
_PAPER, _INK = (250, 250, 248), (34, 34, 34)
_POINT, _BOX = (64, 224, 160), (255, 196, 64)
_VIDEO_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv")
_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #222; background: #fafaf8; margin: 2rem auto; max-width: 72rem;
       padding: 0 1.2rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } summary h2 { display: inline-block }
.row { display: flex; flex-wrap: wrap; gap: 1.2rem }
figure { margin: 0; flex: 1 1 15rem } figure img, figure video { max-width: 100%; border-radius: 6px }
figcaption { color: #555; font-size: .9rem }
table { border-collapse: collapse } td, th { text-align: left; padding: .25rem 1.4rem .25rem 0; vertical-align: top }
tr { border-bottom: 1px solid #ddd }
"""


@dataclass(frozen=True)
class Tile:
    """A picture on a sheet, and the words below it."""

    caption: str
    frame: Frame


@dataclass(frozen=True)
class Figure:
    """A picture or video on a page: its file's name relative to the page, and the words below it."""

    file: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a page: words, then figures in a row, then a table.

    Attributes:
        title: heading.
        text: below it.
        figures: in a row.
        rows: of the table; the first cell of each is a heading.
        head: headings of the table's columns.
        folded: shown only when the heading is clicked.
    """

    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    head: tuple[str, ...] = ()
    folded: bool = False


def marked(frame: Frame, analysis: Analysis, index: int) -> Frame:
    """A frame of a clip with the landmarks, box and number of every face seen in it."""
    picture = Pillow.fromarray(frame)
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


def sheet(tiles: Sequence[Tile], columns: int, height: int = 384) -> Frame:
    """Lay pictures side by side, each with its caption below.

    Args:
        tiles: at least one.
        columns: pictures in a row, at least 1.
        height: of every picture in pixels; widths follow.

    Returns:
        uint8 ``(H, W, 3)`` RGB.
    """
    if not tiles or columns < 1:
        raise ValueError(f"a sheet needs pictures and columns, found {len(tiles)} and {columns}")
    pictures = [_scaled(tile.frame, height) for tile in tiles]
    rows = [range(first, min(first + columns, len(tiles))) for first in range(0, len(tiles), columns)]
    width = max(sum(pictures[n].width + _GAP for n in row) for row in rows) + _GAP
    paper = Pillow.new("RGB", (width, len(rows) * (height + _LINE + _GAP) + _GAP), _PAPER)
    draw = ImageDraw.Draw(paper)
    for number, row in enumerate(rows):
        left, top = _GAP, _GAP + number * (height + _LINE + _GAP)
        for n in row:
            paper.paste(pictures[n], (left, top))
            draw.text((left, top + height + 6), *_fitting(tiles[n].caption, pictures[n].width, draw))
            left += pictures[n].width + _GAP
    return np.asarray(paper)


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Write a page of HTML that needs nothing but the files beside it.

    Args:
        title: heading.
        lead: sentence below it.
        sections: from top to bottom.
    """
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(lead)}</p>", *map(_section, sections)]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join(parts)
    document = f'<html lang="en">\n<head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body>\n</html>'
    return f"<!doctype html>\n{document}\n"


def _fitting(caption: str, width: int, draw: ImageDraw.ImageDraw) -> tuple[str, tuple[int, int, int], Any]:
    """A caption with colour and font, in letters small enough, then cut, to be no wider than its picture."""
    for size in (18, 16, 14, 12):
        font = ImageFont.load_default(size)
        if draw.textlength(caption, font) <= width:
            return caption, _INK, font
    while len(caption) > 1 and draw.textlength(caption + "…", font) > width:
        caption = caption[:-1]
    return caption + "…", _INK, font


def _section(section: Section) -> str:
    figures = "".join(map(_figure, section.figures))
    head = "".join(f"<th>{escape(cell)}</th>" for cell in section.head)
    cells = (f"<tr>{head}</tr>" if head else "") + "".join(map(_row, section.rows))
    title = f"<h2>{escape(section.title)}</h2>"
    parts = (
        f"<details><summary>{title}</summary>" if section.folded else title,
        f"<p>{escape(section.text)}</p>" if section.text else "",
        f'<div class="row">{figures}</div>' if figures else "",
        f"<table>{cells}</table>" if cells else "",
        "</details>" if section.folded else "",
    )
    return "\n".join(part for part in parts if part)


def _row(cells: tuple[str, ...]) -> str:
    rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f"<tr><th>{escape(cells[0])}</th>{rest}</tr>"


def _figure(figure: Figure) -> str:
    file = escape(figure.file, quote=True)
    if PurePosixPath(figure.file).suffix in _VIDEO_SUFFIXES:
        shown = f'<video src="{file}" controls autoplay loop muted playsinline></video>'
    else:
        shown = f'<img src="{file}" alt="{escape(figure.caption, quote=True)}">'
    return f"<figure>{shown}<figcaption>{escape(figure.caption)}</figcaption></figure>"


def _scaled(frame: Frame, height: int) -> Pillow.Image:
    picture = Pillow.fromarray(frame)
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), Pillow.Resampling.LANCZOS)
