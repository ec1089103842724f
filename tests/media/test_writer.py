import os
import struct
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest

from fsgan_core.errors import MediaError
from fsgan_core.media import EncodeOptions, Video, VideoWriter
from fsgan_core.streams import mapped

FAST = EncodeOptions(preset="ultrafast")


def rewritten(source, path, options=FAST, limit=None):
    """Write a video's own frames again."""
    video = Video(source)
    with VideoWriter(path, video, options=options) as writer:
        for index, frame in enumerate(mapped(np.asarray, video, 2)):
            if index == limit:
                break
            writer.write(frame)
    return Video(path)


def seconds(video):
    return [pts * video.time_base for pts in video.pts]


def first_sound(path):
    """When the sound becomes loud, in seconds on the file's clock."""
    with av.open(str(path)) as container:
        for part in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(part.to_ndarray()).max(0) > 0.1 * (1 if part.format.name[0] == "f" else 32768))
            if len(loud):
                return float(part.pts * part.time_base) + loud[0] / part.sample_rate
    return None


@pytest.mark.parametrize(
    ("suffix", "worst"), [("mp4", 0), ("mov", 0), ("mkv", 0.0006), ("webm", 0.0006), ("gif", 0.006)]
)
def test_times_are_those_of_the_target(media, tmp_path, suffix, worst):
    times = [0, 24, 30, 120, 132, 400]
    source = media.make_video(tmp_path / "a.mp4", count=6, pts=times)
    result = rewritten(source, tmp_path / f"b.{suffix}")
    assert len(list(result)) == 6
    assert max(abs(a - Fraction(b, 600)) for a, b in zip(seconds(result), times, strict=True)) <= worst


@pytest.mark.parametrize("pts", [[50, 74, 98, 122], [1000, 1024, 1100, 1124]])
def test_pictures_that_start_late_stay_late(media, tmp_path, pts):
    source = media.make_video(tmp_path / "a.mp4", count=4, pts=pts, sound=("aac", 0))
    result = rewritten(source, tmp_path / "b.mp4")
    assert len(list(result)) == 4
    # The source itself rounds its start to milliseconds.
    assert max(abs(a - Fraction(b, 600)) for a, b in zip(seconds(result), pts, strict=True)) < 0.001
    expected = Video(source)
    list(expected)
    assert seconds(result) == seconds(expected)
    assert media.sound_packets(tmp_path / "b.mp4") == media.sound_packets(source)


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("colour_range", [1, 2])
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
def test_matrix_and_range_are_those_of_the_target(media, tmp_path, matrix, colour_range, codec):
    source = media.make_video(tmp_path / "a.mp4", count=3, colour=(matrix, colour_range))
    options = EncodeOptions(codec=codec, quality=5, preset="ultrafast")
    result = rewritten(source, tmp_path / "b.mkv", options)
    assert (result.colour.matrix, result.colour.colour_range) == (matrix, colour_range)
    for index, frame in enumerate(result):
        assert np.abs(frame.astype(int) - media.pattern(index)).mean() < 3.5


def test_lossless_gives_the_same_pixels(clip, tmp_path):
    result = rewritten(clip, tmp_path / "b.mkv", EncodeOptions(codec="ffv1"))
    assert all(np.array_equal(a, b) for a, b in zip(result, Video(clip), strict=True))


@pytest.mark.parametrize("preset", ["ultrafast", "veryslow"])
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_every_codec_writes_and_better_quality_costs_more(media, tmp_path, codec, preset):
    sizes, noise = [], np.random.default_rng(0).integers(0, 99, (64, 96, 3), np.uint8)
    for quality in (10, 40):
        path = tmp_path / f"{quality}.mp4"
        with VideoWriter(path, options=EncodeOptions(codec=codec, quality=quality, preset=preset)) as writer:
            for index in range(3):
                writer.write(media.pattern(index, (96, 64)) // 2 + noise)
        sizes.append(path.stat().st_size)
        assert len(list(Video(path))) == 3
    assert sizes[0] > 1.5 * sizes[1]


def test_hevc_is_tagged_as_apple_wants_it(clip, tmp_path):
    rewritten(clip, tmp_path / "b.mp4", EncodeOptions(codec="hevc", preset="ultrafast"))
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("suffix", "pixel_format", "size"),
    [
        ("mp4", "yuv420p", (34, 18)),
        ("mp4", "yuv422p", (34, 17)),
        ("mp4", "yuv444p", (33, 17)),
        ("webm", "yuv420p", (33, 17)),
        ("gif", "yuv420p", (33, 17)),
    ],
)
def test_odd_sizes_keep_every_pixel_in_place(media, tmp_path, suffix, pixel_format, size):
    path = tmp_path / f"a.{suffix}"
    frame = media.pattern(3, (33, 17))
    with VideoWriter(path, options=EncodeOptions(quality=4, preset="ultrafast", pixel_format=pixel_format)) as writer:
        for _ in range(3):
            writer.write(frame)
    result = Video(path)
    assert result.size == size
    assert np.abs(next(iter(result))[:17, :33].astype(int) - frame).mean() < 4


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus"])
@pytest.mark.parametrize("start", [0, Fraction(1, 5)])
def test_sound_is_copied_bit_by_bit(media, tmp_path, codec, start):
    source = media.make_video(tmp_path / "a.mp4", sound=(codec, start))
    rewritten(source, tmp_path / "b.mp4")
    assert media.sound_packets(tmp_path / "b.mp4") == media.sound_packets(source)
    rewritten(source, tmp_path / "b.mkv")
    assert [body for _, body in media.sound_packets(tmp_path / "b.mkv")] == [b for _, b in media.sound_packets(source)]


@pytest.mark.parametrize(
    ("codec", "first", "second", "becomes"),
    [("aac", "a.mp4", "b.webm", "opus"), ("libopus", "a.webm", "b.mov", "aac"), ("pcm_s16le", "a.mov", "b.mp4", "aac")],
)
@pytest.mark.parametrize("start", [0, Fraction(1, 5)])
def test_sound_is_encoded_anew_where_needed_and_stays_in_step(media, tmp_path, codec, first, second, becomes, start):
    video_codec = "libvpx-vp9" if first.endswith("webm") else "libx264"
    source = media.make_video(tmp_path / first, count=20, codec=video_codec, sound=(codec, start))
    rewritten(source, tmp_path / second)
    with av.open(str(tmp_path / second)) as container:
        assert container.streams.audio[0].codec_context.name == becomes
    assert abs(first_sound(tmp_path / second) - first_sound(source)) < 0.005
    end, source_end = media.sound_packets(tmp_path / second)[-1][0], media.sound_packets(source)[-1][0]
    assert abs(end - source_end) < 0.05


def test_sound_longer_than_the_pictures_is_not_cut(media, clip, tmp_path):
    rewritten(clip, tmp_path / "b.mp4", limit=2)
    assert media.sound_packets(tmp_path / "b.mp4") == media.sound_packets(clip)


def test_sound_that_begins_before_the_pictures_stays_before_them(media, tmp_path):
    source = media.make_video(tmp_path / "a.mkv", pts=[300 + 24 * i for i in range(12)], sound=("aac", 0))
    result = rewritten(source, tmp_path / "b.mkv")
    list(result)
    sound = media.sound_packets(tmp_path / "b.mkv")
    assert [body for _, body in sound] == [body for _, body in media.sound_packets(source)]
    assert abs(seconds(result)[0] - sound[0][0] - Fraction(1, 2)) < 0.03


def test_a_gif_has_no_sound_and_a_silent_target_gives_silence(media, clip, tmp_path):
    rewritten(clip, tmp_path / "b.gif")
    assert media.sound_packets(tmp_path / "b.gif") == []
    rewritten(media.make_video(tmp_path / "silent.mp4"), tmp_path / "c.mp4")
    assert media.sound_packets(tmp_path / "c.mp4") == []


def test_a_turned_target_gives_an_upright_video(media, tmp_path):
    path = media.make_video(tmp_path / "a.mp4")
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    result = rewritten(path, tmp_path / "b.mp4")
    assert result.size == (48, 64)
    assert np.abs(next(iter(result)).astype(int) - np.rot90(media.pattern(0), -1)).mean() < 5


def test_without_a_target_the_rate_is_as_given(media, tmp_path):
    with VideoWriter(tmp_path / "a.mp4", rate=Fraction(30000, 1001), options=FAST) as writer:
        for index in range(5):
            writer.write(media.pattern(index))
    video = Video(tmp_path / "a.mp4")
    assert len(list(video)) == 5
    assert video.rate == Fraction(30000, 1001)


def test_frames_beyond_the_targets_go_on_at_its_rate(clip, tmp_path):
    video = Video(clip)
    with VideoWriter(tmp_path / "b.mp4", video, options=FAST) as writer:
        for frame in [*video, *video]:
            writer.write(frame)
    result = Video(tmp_path / "b.mp4")
    assert len(list(result)) == 24
    assert {b - a for a, b in zip(seconds(result), seconds(result)[1:], strict=False)} == {Fraction(1, 25)}


def test_written_frames_are_let_go(media, tmp_path):
    with VideoWriter(tmp_path / "a.mp4", options=FAST) as writer:
        for index in range(30):
            frame = media.pattern(index)
            writer.write(frame)
            alive = weakref.ref(frame)
            del frame
            assert alive() is None


def fail_in_the_block(path, video):
    with VideoWriter(path, video, overwrite=True, options=FAST) as writer:
        writer.write(next(iter(video)))
        raise KeyError("stop")


def change_the_size(path, video):
    with VideoWriter(path, video, overwrite=True, options=FAST) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.write(np.zeros((50, 64, 3), np.uint8))


def write_floats(path, video):
    with VideoWriter(path, video, overwrite=True, options=FAST) as writer:
        writer.write(np.full((48, 64, 3), np.nan))


def write_nothing(path, video):
    with VideoWriter(path, video, overwrite=True):
        pass


def too_small_for_the_encoder(path, video):
    with VideoWriter(path, video, overwrite=True, options=EncodeOptions(codec="av1")) as writer:
        writer.write(np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (fail_in_the_block, KeyError, "stop"),
        (change_the_size, ValueError, "one size"),
        (write_floats, ValueError, "uint8"),
        (write_nothing, MediaError, "no frame"),
        (too_small_for_the_encoder, MediaError, "cannot write .* as av1"),
    ],
)
def test_after_an_error_nothing_remains(clip, tmp_path, existing, act, error, words):
    path = tmp_path / "out" / "b.mp4"
    path.parent.mkdir()
    if existing:
        path.write_text("old")
    with pytest.raises(error, match=words):
        act(path, Video(clip))
    assert os.listdir(path.parent) == (["b.mp4"] if existing else [])
    assert not existing or path.read_text() == "old"


def test_outputs_are_refused_before_a_frame_is_made(clip, tmp_path):
    video = Video(clip)
    (tmp_path / "there.mp4").touch()
    cases = [
        ((clip, video), {"overwrite": True}, "also an input"),
        ((tmp_path / "there.mp4", video), {}, "exists"),
        ((tmp_path / "absent" / "b.mp4",), {}, "no folder"),
        ((tmp_path / "b.xyz",), {}, r"'\.xyz'; use one of \.mp4"),
        ((tmp_path / "b",), {}, "''; use one of"),
        ((tmp_path / "b.webm",), {"options": EncodeOptions(codec="h264")}, "cannot hold h264; use vp9 or av1"),
    ]
    for positional, named, words in cases:
        with pytest.raises(MediaError, match=words) as told:
            VideoWriter(*positional, **named)
        assert "\n" not in str(told.value)
    assert sorted(os.listdir(tmp_path)) == ["clip.mp4", "there.mp4"]


def test_an_existing_video_is_replaced_when_allowed(clip, tmp_path):
    path = tmp_path / "ü and space.mp4"
    path.write_text("old")
    with VideoWriter(path, overwrite=True, options=FAST) as writer:
        for frame in Video(clip):
            writer.write(frame)
    assert len(list(Video(path))) == 12


@pytest.mark.parametrize(
    "wrong", [{"codec": "divx"}, {"quality": 52}, {"quality": -1}, {"preset": "quick"}, {"pixel_format": "rgb24"}]
)
def test_unknown_options_are_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        EncodeOptions(**wrong)


def test_an_impossible_rate_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rate"):
        VideoWriter(tmp_path / "a.mp4", rate=Fraction(-1))


def test_the_pixel_aspect_is_kept_at_the_video_s_size_alone(media, tmp_path):
    wide = tmp_path / "wide.mp4"
    with av.open(str(wide), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(media.pattern(0), format="rgb24")))
        output.mux(stream.encode(None))
    for size, aspect in (((64, 48), Fraction(4, 3)), ((80, 80), Fraction(1))):
        path = tmp_path / f"{size[0]}.mp4"
        with VideoWriter(path, Video(wide)) as writer:
            writer.write(media.pattern(0, size))
        assert (Video(path).size, Video(path).aspect) == (size, aspect)
