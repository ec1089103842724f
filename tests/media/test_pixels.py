from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st

from fsgan_core.media.pixels import FULL, LIMITED, Colour, Orientation, from_frame, padded, to_frame, to_palette

# Kr, Kb of BT.709, BT.601 and BT.2020 (ITU-T H.273, table 4).
LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def expected_samples(colour, matrix, colour_range):
    """H.273, equations 38 to 43, for eight bits."""
    kr, kb = LUMA[matrix]
    r, g, b = np.asarray(colour) / 255
    y = kr * r + (1 - kr - kb) * g + kb * b
    chroma = np.array([(b - y) / (1 - kb), (r - y) / (1 - kr)]) / 2
    if colour_range == LIMITED:
        return 16 + 219 * y, *(128 + 224 * chroma)
    return 255 * y, *(128 + 255 * chroma)


@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_conversion_follows_the_standard_and_comes_back(matrix, colour_range, pixel_format):
    how = Colour(matrix=matrix, colour_range=colour_range)
    for colour in np.random.default_rng(0).integers(0, 256, (12, 3)):
        frame = np.tile(colour, (16, 16, 1)).astype(np.uint8)
        picture = from_frame(frame, pixel_format, how, VideoReformatter())
        samples = [np.frombuffer(plane, np.uint8)[0] for plane in picture.planes]
        assert np.abs(np.subtract(samples, expected_samples(colour, matrix, colour_range))).max() <= 1.1
        picture.colorspace, picture.color_range = matrix, colour_range
        assert np.abs(to_frame(picture, (16, 16), VideoReformatter()).astype(int) - colour).max() <= 3


def test_ten_bits_are_scaled_to_eight():
    grey = np.linspace(64, 940, 16)
    picture = av.VideoFrame(16, 16, "yuv420p10le")
    for plane, values in zip(picture.planes, (grey, np.full(8, 512), np.full(8, 512)), strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
        rows[:, : plane.width] = np.round(values)
        plane.update(rows.tobytes())
    picture.colorspace, picture.color_range = 1, LIMITED
    frame = to_frame(picture, (16, 16), VideoReformatter())
    assert np.abs(frame - ((grey - 64) * 255 / 876)[:, None]).max() <= 1


def test_a_file_that_does_not_say_its_matrix_is_taken_as_players_do():
    silent = Colour(matrix=2)
    assert silent.matrix_for(480) == Colour(matrix=6).matrix_for(1080) == 5
    assert silent.matrix_for(1080) == 1
    assert Colour(matrix=9).matrix_for(480) == 9


@pytest.mark.parametrize("code", [0, 2, 3, 8, 14, 255])
def test_codes_without_a_meaning_for_samples_do_no_harm(code):
    picture = from_frame(np.full((16, 16, 3), 90, np.uint8), "yuv420p", Colour(matrix=6), VideoReformatter())
    picture.colorspace, picture.color_range = code, LIMITED
    assert np.abs(to_frame(picture, (16, 16), VideoReformatter()).astype(int) - 90).max() <= 1


def test_a_frame_never_shares_memory_with_the_decoder():
    picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
    frame = to_frame(picture, (16, 16), VideoReformatter())
    frame[:] = 9
    assert picture.to_ndarray().max() == 0


def test_a_picture_that_changed_its_size_is_scaled():
    picture = av.VideoFrame.from_ndarray(np.full((20, 30, 3), 77, np.uint8), format="rgb24")
    frame = to_frame(picture, (16, 12), VideoReformatter())
    assert frame.shape == (12, 16, 3)
    assert np.abs(frame.astype(int) - 77).max() <= 1


@given(st.integers(1, 6), st.integers(1, 6), st.booleans(), st.booleans())
def test_padding_repeats_the_edge_and_moves_nothing(height, width, wide, high):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    result = padded(frame, (wide, high))
    assert np.array_equal(result[:height, :width], frame)
    assert result.shape[:2] == (height + high * (height % 2), width + wide * (width % 2))
    assert np.array_equal(result[-1, -1], frame[-1, -1])


def test_orientations_are_the_eight_of_a_square():
    frame = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    turned = {
        Orientation(transposed=t, upside_down=u, mirrored=m).apply(frame).tobytes()
        for t in (False, True)
        for u in (False, True)
        for m in (False, True)
    }
    assert len(turned) == 8
    quarter = Orientation(transposed=True, mirrored=True).apply(frame)
    assert np.array_equal(quarter, np.rot90(frame, -1))
    assert quarter.flags.c_contiguous


def test_few_colours_are_kept_exactly_in_a_palette():
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[:4] = (200, 10, 90)
    picture = to_palette(frame)
    picture.pts, picture.time_base = 0, Fraction(1, 100)
    indices, colours = picture.to_ndarray()
    assert np.array_equal(colours[indices][..., 1:], frame)
