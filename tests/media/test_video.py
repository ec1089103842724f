import os
import struct
import weakref
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from fsgan_core.errors import MediaError
from fsgan_core.media import Video, is_video

MEDIA = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[3] / "shared" / "media"))


def difference(frame, expected):
    return np.abs(frame.astype(int) - expected).mean()


def turned(path, a, b, c, d):
    """Write a display matrix into an MP4's track header, as phones do."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "worst"),
    [
        ("a.mp4", "libx264", "yuv420p", 4),
        ("a.mov", "libx264", "yuv444p", 4),
        ("a.mkv", "ffv1", "yuv420p", 2),
        ("a.mkv", "libx264", "yuv420p10le", 4),
        ("a.webm", "libvpx-vp9", "yuv420p", 6),
        ("a.avi", "mpeg4", "yuv420p", 10),
        ("a.gif", "gif", "rgb8", 24),
    ],
)
def test_frames_come_in_order_with_their_content(media, tmp_path, name, codec, pixel_format, worst):
    video = Video(media.make_video(tmp_path / name, codec=codec, pixel_format=pixel_format))
    frames = list(video)
    assert len(frames) == 12 == len(video.pts)
    assert video.size == (64, 48)
    assert video.rate == 25
    for index, frame in enumerate(frames):
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous
        assert difference(frame, media.pattern(index)) < worst
    assert (video.skipped, video.damage) == (0, "")


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("colour_range", [1, 2])
def test_matrix_and_range_are_those_of_the_file(media, tmp_path, matrix, colour_range):
    path = media.make_video(
        tmp_path / "a.mp4", colour=(matrix, colour_range), options={"crf": "1"}, pixel_format="yuv444p"
    )
    video = Video(path)
    assert (video.colour.matrix, video.colour.colour_range) == (matrix, colour_range)
    assert difference(next(iter(video)), media.pattern(0)) < 1.2


def test_iterating_again_gives_the_same_frames_and_times(clip):
    video = Video(clip)
    first, times = list(video), list(video.pts)
    assert all(np.array_equal(a, b) for a, b in zip(first, video, strict=True))
    assert video.pts == times


def test_two_iterations_at_once_do_not_disturb_each_other(clip):
    video = Video(clip)
    for a, b in zip(video, video, strict=True):
        assert np.array_equal(a, b)
    assert len(video.pts) == 12


def test_variable_frame_rate_is_kept(media, tmp_path):
    times = [0, 24, 30, 120, 121, 400]
    video = Video(media.make_video(tmp_path / "a.mp4", count=6, pts=times))
    assert len(list(video)) == 6
    assert [round(pts * video.time_base * 600) for pts in video.pts] == times


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),
        ((-1, 0, 0, -1), lambda a: np.rot90(a, 2)),
        ((0, -1, 1, 0), lambda a: np.rot90(a, 1)),
        ((-1, 0, 0, 1), lambda a: a[:, ::-1]),
        ((1, 0, 0, -1), lambda a: a[::-1]),
    ],
)
def test_rotation_and_mirroring_are_applied(media, tmp_path, matrix, shown):
    video = Video(turned(media.make_video(tmp_path / "a.mp4"), *matrix))
    expected = shown(media.pattern(0))
    frame = next(iter(video))
    assert frame.shape == expected.shape
    assert video.size == (expected.shape[1], expected.shape[0])
    assert difference(frame, expected) < 4


@pytest.mark.parametrize("size", [(33, 17), (2, 2), (1, 1)])
def test_odd_sizes(media, tmp_path, size):
    video = Video(media.make_video(tmp_path / "a.mkv", size=size, codec="ffv1", pixel_format="bgr0"))
    assert video.size == size
    assert all(np.array_equal(frame, media.pattern(i, size)) for i, frame in enumerate(video))


def test_the_pixel_aspect_is_told_and_turned_but_not_applied(media, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(media.pattern(0), format="rgb24")))
        output.mux(stream.encode(None))
    assert (Video(path).size, Video(path).aspect) == ((64, 48), Fraction(4, 3))
    turned(path, 0, 1, -1, 0)
    assert (Video(path).size, Video(path).aspect) == ((48, 64), Fraction(3, 4))


def test_few_frames_are_alive_at_once(media, tmp_path):
    video = Video(media.make_video(tmp_path / "a.mp4", count=60))
    alive, highest = [], 0
    for frame in video:
        alive = [ref for ref in alive if ref() is not None] + [weakref.ref(frame)]
        highest = max(highest, len(alive))
    # The one just given and the one the loop still names.
    assert highest <= 2


def test_stopping_early_closes_the_file(clip):
    def open_files():
        return len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0

    before = open_files()
    for _ in range(20):
        next(iter(Video(clip)))
    assert open_files() == before


def test_a_broken_frame_count_changes_nothing(media, tmp_path):
    path = media.make_video(tmp_path / "a.avi", codec="mpeg4")
    content = bytearray(path.read_bytes())
    # Frames in the main header (avih) and in the stream's (strh).
    at = content.index(b"avih") + 24
    content[at : at + 4] = struct.pack("<I", 9999)
    at = content.index(b"strh") + 40
    content[at : at + 4] = struct.pack("<I", 9999)
    path.write_bytes(content)
    video = Video(path)
    assert video.frame_count_hint == 9999
    assert len(list(video)) == 12


def test_a_truncated_video_gives_what_is_there(media, tmp_path):
    path = media.make_video(tmp_path / "a.mkv", count=40, options={"g": "5", "bf": "0"})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    video = Video(path)
    frames = list(video)
    assert 5 < len(frames) < 40
    assert len(video.pts) == len(frames)
    assert difference(frames[5], media.pattern(5)) < 4
    assert len(frames) + video.missing == pytest.approx(40, abs=2)
    assert video.damage == f"seems cut off: found {len(frames)} of about {len(frames) + video.missing} frames"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_beyond_the_pictures_is_no_missing_picture(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as output:
        pictures, sound = output.add_stream("libx264", rate=25), output.add_stream("aac", rate=44100, layout="mono")
        pictures.codec_context.width, pictures.codec_context.height = 64, 48
        pictures.codec_context.pix_fmt = "yuv420p"
        grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        output.mux([*pictures.encode(grey), *pictures.encode(None)])
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 5 * 44100), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        output.mux([*sound.encode(silence), *sound.encode(None)])
    video = Video(path)
    assert len(list(video)) == 1
    assert video.damage == ""


def test_damage_in_the_middle_is_skipped_and_counted(media, tmp_path):
    path = media.make_video(tmp_path / "a.mov", count=30, codec="png", pixel_format="rgb24")
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    start, size = places[10]
    content[start : start + size] = bytes(size)
    path.write_bytes(content)
    video = Video(path)
    frames = list(video)
    assert len(frames) + video.skipped == 30
    assert len(list(zip(video, video, strict=True))) + video.skipped == 30  # counted once, however often they are met
    assert video.skipped >= 1
    assert "broken picture" in video.damage and "cut off" not in video.damage
    assert np.array_equal(frames[0], media.pattern(0))
    assert all(later > earlier for earlier, later in zip(video.pts, video.pts[1:], strict=False))


def test_a_cover_picture_is_no_video(media, tmp_path):
    cover = BytesIO()
    Pillow.fromarray(media.pattern(0)).save(cover, "PNG")
    tag = b"\0image/png\0\3\0" + cover.getvalue()
    frame = b"APIC" + struct.pack(">I", len(tag)) + b"\0\0" + tag
    # ID3v2.3; its size comes in groups of seven bits.
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    song = sound_only(tmp_path / "song.mp3", "libmp3lame")
    song.write_bytes(b"ID3\3\0\0" + size + frame + song.read_bytes())
    with av.open(str(song)) as container:
        assert [stream.type for stream in container.streams] == ["audio", "video"]
    with pytest.raises(MediaError, match="holds no video"):
        Video(song)


def sound_only(path, codec="aac"):
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=44100, layout="mono")
        part = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        part.sample_rate = 44100
        output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path


def no_pictures(path):
    """A video whose index lists no picture."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = 64, 48, "yuv420p"
        output.start_encoding()
    return path


def test_what_is_no_video_is_told_in_one_line(tmp_path, clip):
    renamed, empty, headless = tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "headless.mp4"
    renamed.write_text("just text")
    empty.touch()
    # Without faststart the index lies at the end.
    headless.write_bytes(clip.read_bytes()[:2000])
    cases = {
        tmp_path: "is a folder",
        tmp_path / "absent.mp4": "no file",
        empty: "is empty",
        renamed: "not a video that can be read",
        headless: "not a video that can be read .*cut off before its index; copy it again",
        sound_only(tmp_path / "sound.m4a"): "holds no video .found: audio",
        no_pictures(tmp_path / "zero length.mp4"): "holds no video .found: nothing",
    }
    for path, words in cases.items():
        for door in (Video, is_video):
            with pytest.raises(MediaError, match=words) as told:
                door(path)
            assert "\n" not in str(told.value)
            assert str(path) in str(told.value)


def test_pictures_and_videos_are_told_apart_by_content(media, tmp_path, clip):
    clip.rename(tmp_path / "a video ü.png")
    Pillow.fromarray(media.pattern(0)).save(tmp_path / "picture.mp4", "PNG")
    Pillow.fromarray(media.pattern(0)).save(tmp_path / "still.gif")
    media.make_video(tmp_path / "moving.gif", codec="gif", pixel_format="rgb8")
    found = {path.name: is_video(path) for path in tmp_path.iterdir()}
    assert found == {"a video ü.png": True, "picture.mp4": False, "still.gif": False, "moving.gif": True}


@pytest.mark.skipif(not MEDIA.is_dir(), reason="FSGAN_MEDIA is absent")
@pytest.mark.parametrize("name", ["lp_d18_ntsc.webm", "asl_again.mkv", "lp_d19_15fps.mp4"])
def test_real_videos_give_as_many_frames_as_packets(name):
    path = MEDIA / "video" / name
    with av.open(str(path)) as container:
        packets = sum(packet.size > 0 for packet in container.demux(video=0))
    video = Video(path)
    assert sum(1 for _ in video) == packets
    assert video.damage == ""
