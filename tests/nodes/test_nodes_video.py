"""VIDEO in, VIDEO out: times, sound, windows, cancelling, and nothing left behind."""

import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

Run = Callable[..., tuple[Any, ...]]
COUNT, SOUND = 8, 16_000


def video(host: Any, file: Any, start: float = 0, duration: float = 0) -> Any:
    from host_stub import VideoFile

    return VideoFile(file, start_time=start, duration=duration)


def read(path: str) -> tuple[list[float], list[NDArray[np.uint8]], NDArray[np.float32]]:
    """Times and pictures of a video, and its sound."""
    with av.open(path) as source:
        pictures = [(picture.time or 0.0, picture.to_ndarray(format="rgb24")) for picture in source.decode(video=0)]
    with av.open(path) as source:
        waves = [part.to_ndarray() for part in source.decode(audio=0)] if source.streams.audio else []
    sound = np.concatenate(waves, 1)[0] if waves else np.zeros(0, np.float32)
    return [time for time, _ in pictures], [picture for _, picture in pictures], sound


def left(host: Any) -> set[str]:
    return {path.name for path in Path(host.folders.get_temp_directory()).iterdir()}


def test_a_swapped_video_keeps_times_size_and_sound(run: Run, host: Any, film: Path, picture: torch.Tensor) -> None:
    before = left(host)
    host.bar.seen.clear()
    result, report = run("FSGAN_SwapVideo", target=video(host, str(film)), source=picture.flip(2))
    times, pictures, sound = read(result.file)
    old_times, old_pictures, old_sound = read(str(film))
    assert times == pytest.approx(old_times)
    assert [one.shape for one in pictures] == [one.shape for one in old_pictures]
    np.testing.assert_array_equal(sound, old_sound)
    first, *measured = report.splitlines()
    assert first == "1 face swapped, in 8 of 8 frames"
    assert any(line.startswith("flicker ratio") for line in measured)
    difference = np.abs(pictures[4].astype(int) - old_pictures[4])
    assert difference[80:170, 70:150].mean() > 2 * difference[:, :20].mean() + 1
    assert {Path(result.file).name} == left(host) - before
    steps = [step for step, _, _ in host.bar.seen]
    assert steps == sorted(steps)
    assert any(preview is not None for _, _, preview in host.bar.seen)


def test_a_video_that_is_cut_off_is_told(run: Run, host: Any, film: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.mkv"
    with av.open(str(film)) as source, av.open(str(part), "w") as output:
        pictures = output.add_stream("mjpeg", rate=8, options={"strict": "unofficial"})
        pictures.width, pictures.height, pictures.pix_fmt = 224, 256, "yuv420p"
        for picture in source.decode(video=0):
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
    part.write_bytes(part.read_bytes()[: part.stat().st_size * 2 // 3])
    _, _, report = run("FSGAN_AnalyzeVideo", video=video(host, str(part)))
    assert "the video seems cut off: found" in report.splitlines()[-1]


def test_a_window_gives_its_frames_and_its_sound(run: Run, host: Any, film: Path, picture: torch.Tensor) -> None:
    before = left(host)
    window = video(host, str(film), 0.25, 0.5)
    faces, preview, _ = run("FSGAN_AnalyzeVideo", video=window)
    assert faces.analysis.frame_count == len(preview) == 4
    result, _ = run("FSGAN_SwapVideo", target=window, source=picture.flip(2), faces=faces)
    times, pictures, sound = read(result.file)
    _, old_pictures, _ = read(str(film))
    assert times == pytest.approx([0, 0.125, 0.25, 0.375], abs=1e-3)
    assert np.abs(pictures[0].astype(int) - old_pictures[2])[:, :20].mean() < 3
    assert 0.4 < len(sound) / SOUND < 0.6
    assert left(host) - before == {Path(result.file).name}


def test_a_video_in_memory_is_taken_too(run: Run, host: Any, film: Path) -> None:
    before = left(host)
    faces, _, report = run("FSGAN_AnalyzeVideo", video=video(host, BytesIO(film.read_bytes())))
    assert faces.analysis.frame_count == COUNT
    assert report.startswith("1 face in 8 frames of 224x256")
    assert left(host) == before


def test_a_portrait_moves_in_the_target_s_time(run: Run, host: Any, film: Path, picture: torch.Tensor) -> None:
    result, report = run("FSGAN_ReenactVideo", source=picture, target=video(host, str(film), 0.5, 0), measure=False)
    times, pictures, sound = read(result.file)
    assert len(times) == 4
    assert pictures[0].shape == (256, 256, 3)
    assert len(sound) > 0.4 * SOUND
    assert report == "1 face reenacted, in 4 of 4 frames"


def test_crops_move_in_the_target_s_time(run: Run, host: Any, film: Path, picture: torch.Tensor) -> None:
    given = {"source": picture, "framing": "crop", "crop_size": 128, "measure": False}
    window = video(host, str(film), 0.5, 0)
    result, report = run("FSGAN_ReenactVideo", target=window, **given)
    times, pictures, sound = read(result.file)
    assert len(times) == 4
    assert pictures[0].shape == (128, 128, 3)
    assert pictures[0].mean() > 20
    assert len(sound) > 0.4 * SOUND
    assert report == "1 face reenacted, in 4 of 4 frames"
    faces, _, _ = run("FSGAN_AnalyzeVideo", video=window)
    again, _ = run("FSGAN_ReenactVideo", target=window, faces=faces, **given)
    assert all(np.array_equal(*pair) for pair in zip(pictures, read(again.file)[1], strict=True))


def test_a_video_is_a_source_of_a_map(run: Run, host: Any, film: Path) -> None:
    appearance, _, _ = run("FSGAN_BuildAppearanceMap", video=video(host, str(film)))
    assert len(appearance) >= 1


def test_cancelling_stops_and_leaves_nothing(
    run: Run, host: Any, film: Path, picture: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from host_stub import Interrupted

    faces, _, _ = run("FSGAN_AnalyzeVideo", video=video(host, str(film), 0, 0.5))
    before = left(host)
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise Interrupted

    monkeypatch.setattr(sys.modules["comfy.model_management"], "throw_exception_if_processing_interrupted", check)
    with pytest.raises(Interrupted):
        run("FSGAN_SwapVideo", target=video(host, str(film), 0, 0.5), source=picture, faces=faces)
    assert left(host) == before


def test_cancelling_is_noticed_before_the_first_frame_is_drawn(
    run: Run, nodes: dict[str, Any], host: Any, film: Path, picture: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from host_stub import Interrupted

    faces, _, _ = run("FSGAN_AnalyzeVideo", video=video(host, str(film), 0, 0.5))
    package = nodes["FSGAN_SwapVideo"].__module__.removesuffix(".nodes.swap")
    window = sys.modules[f"{package}.nodes.videos"].Window
    walk, walks, drawn = window.__iter__, [], []

    def walked(self: Any) -> Iterator[Any]:
        walks.append(self)
        yield from walk(self)

    def check() -> None:
        if len(walks) == 3:  # one looks whether there is a frame, one draws, one measures
            raise Interrupted

    monkeypatch.setattr(window, "__iter__", walked)
    monkeypatch.setattr(sys.modules[f"{package}.fsgan_core.pipeline.swapping"], "swap_face", drawn.append)
    monkeypatch.setattr(sys.modules["comfy.model_management"], "throw_exception_if_processing_interrupted", check)
    with pytest.raises(Interrupted):
        run("FSGAN_SwapVideo", target=video(host, str(film), 0, 0.5), source=picture, faces=faces, measure=False)
    assert not drawn


def test_an_empty_window_is_told(run: Run, host: Any, film: Path) -> None:
    with pytest.raises(Exception, match="no frame from 9 s on for 1 s; change its trim"):
        run("FSGAN_AnalyzeVideo", video=video(host, str(film), 9, 1))


def test_edits_that_wait_are_made_first(run: Run, host: Any, film: Path, tmp_path: Path) -> None:
    class Edited(type(video(host, str(film)))):  # type: ignore[misc]
        """As newer hosts have it: cropped when it is saved."""

        def has_pending_frame_edits(self) -> bool:
            return True

        def save_to(self, path: str, **_: Any) -> None:
            with av.open(self.file) as source, av.open(path, "w") as output:
                stream = output.add_stream("libx264", rate=8)
                stream.width, stream.height, stream.pix_fmt = 224, 200, "yuv420p"
                for number, picture in enumerate(source.decode(video=0)):
                    if number < 3:
                        cut = av.VideoFrame.from_ndarray(picture.to_ndarray(format="rgb24")[56:].copy(), format="rgb24")
                        output.mux(stream.encode(cut))
                output.mux(stream.encode(None))

    before = left(host)
    faces, _, _ = run("FSGAN_AnalyzeVideo", video=Edited(str(film), start_time=0.5))
    assert (faces.analysis.size, faces.analysis.frame_count) == ((224, 200), 3)
    assert left(host) == before


def test_a_saved_video_says_that_it_is_synthetic(run: Run, host: Any, film: Path, picture: torch.Tensor) -> None:
    from fsgan_core.media import read_marking

    window = video(host, str(film), 0, 0.25)
    swapped, _ = run("FSGAN_SwapVideo", target=window, source=picture.flip(2))
    run("FSGAN_SaveMarkedVideo", video=swapped, filename_prefix="marked/swap", operation="unsaid")
    run("FSGAN_SaveMarkedVideo", video=video(host, str(film)), filename_prefix="marked/film", operation="by hand")
    folder = Path(host.folders.get_output_directory()) / "marked"
    marks = {path.name: read_marking(path) for path in folder.glob("*.mp4")}
    assert {name: mark and mark.operation for name, mark in marks.items()} == {
        "swap_00001_.mp4": "face swap",
        "film_00001_.mp4": "by hand",
    }
    assert len(read(str(folder / "swap_00001_.mp4"))[1]) == 2
