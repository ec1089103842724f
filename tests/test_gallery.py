from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fsgan_core.cli import main
from fsgan_core.demo import HOPPER
from fsgan_core.gallery import Figure, Section, Tile, page, sheet
from fsgan_core.media import Image, read_image, write_image


def tile(width: int, height: int, value: int) -> Tile:
    return Tile("caption", np.full((height, width, 3), value, np.uint8))


def test_sheet_shows_every_picture_at_one_height() -> None:
    picture = sheet([tile(40, 20, 200), tile(10, 20, 100), tile(30, 60, 50)], columns=2, height=80)
    sizes = {value: np.argwhere((picture == value).all(-1)) for value in (200, 100, 50)}
    for value, width in ((200, 160), (100, 40), (50, 40)):
        low, high = sizes[value].min(0), sizes[value].max(0) + 1
        # Letters of the captions may have these levels of grey too, but lie outside the pictures' columns of rows.
        assert len(sizes[value]) >= 80 * width
        assert high[1] - low[1] >= width
    assert (picture[:, 0] == picture[0, 0]).all()


def test_captions_stay_below_their_picture() -> None:
    short, long = (sheet([Tile(words, np.full((64, 64, 3), 255, np.uint8))] * 2, 2, 64) for words in ("a", "a" * 99))
    assert short.shape == long.shape
    gap = long[16 + 64 :, 16 + 64 : 32 + 64]
    assert (gap == gap[0, 0]).all()
    assert (long[80:] < 128).any()


def test_page_has_tables_with_headings() -> None:
    text = page("t", "", [Section("part", rows=(("a", "1", "2"), ("b", "3", "<4>")), head=("name", "x", "y"))])
    assert "<tr><th>name</th><th>x</th><th>y</th></tr><tr><th>a</th><td>1</td><td>2</td></tr>" in text
    assert "&lt;4&gt;" in text


def test_sheet_needs_pictures_and_columns() -> None:
    with pytest.raises(ValueError, match="found 0"):
        sheet([], 2)
    with pytest.raises(ValueError, match="and 0"):
        sheet([tile(8, 8, 1)], 0)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, value) for name, value in attrs if name == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_links_pictures_and_videos_and_escapes_words() -> None:
    figures = (Figure("a b.png", "one & <two>"), Figure("c.mp4", "moves"))
    links = Links()
    links.feed(page("Title <x>", "lead", [Section("part", "words", figures, (("time", "3 s"),))]))
    assert links.found == [("img", "a b.png"), ("video", "c.mp4")]
    for words in ("Title <x>", "one & <two>", "time", "3 s"):
        assert words in links.text


def test_the_numbers_of_faces_are_shown_on_a_picture(tmp_path: Path) -> None:
    two = np.hstack((HOPPER.read().frame,) * 2)
    write_image(tmp_path / "two.png", Image(two), marking=None)
    assert main(["analyze", str(tmp_path / "two.png"), "-o", str(tmp_path / "faces.png")]) == 0
    shown = read_image(tmp_path / "faces.png").frame
    boxed = (shown == (255, 196, 64)).all(-1)
    assert shown.shape == two.shape and all(half.sum() > 500 for half in np.hsplit(boxed, 2))


def test_an_unknown_ending_is_answered_with_the_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "one.png", Image(HOPPER.read().frame), marking=None)
    assert main(["analyze", str(tmp_path / "one.png"), "-o", str(tmp_path / "faces.txt")]) != 0
    said = capsys.readouterr()
    assert "analysis as '.txt'; use one of .json, .npz, .safetensors, .png, .jpg" in said.err + said.out
