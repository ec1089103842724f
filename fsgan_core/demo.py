"""The main job on two public-domain portraits that come with ordinary packages; nothing is downloaded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from .errors import FSGANError, NoFaceError
from .faces import FaceSequence
from .gallery import Figure, Section, Tile, page, sheet
from .media import Image, Video, VideoWriter, check_output, read_image, read_marking, staged, write_image
from .models import Models
from .pipeline import Rendered, analyze, build_appearance_map, reenact, swap
from .provenance import VERSION, Marking
from .stages.analysis import load_analysis
from .stages.appearance_map import AppearanceMap
from .streams import Clip, Still
from .weights.checkpoint import OPEN

Watch = Callable[[Iterable[Rendered], str, int], Iterable[Rendered]]
"""Shows the progress of results, given words and their number."""

FILES = {
    "collins": "collins.png",
    "hopper": "hopper.png",
    "collins on hopper": "collins-on-hopper.png",
    "hopper on collins": "hopper-on-collins.png",
    "motion": "hopper-moving.mp4",
    "swapped": "collins-on-hopper-moving.mp4",
    "sheet": "sheet.png",
    "page": "report.html",
}
"""What is written, by what it shows."""

CAPTIONS = ("Eileen Collins", "Grace Hopper", "Collins's face on Hopper", "Hopper's face on Collins")
SWAP = Marking(operation="face swap", weights="open")
REENACTMENT = Marking(operation="face reenactment", weights="open")


@dataclass(frozen=True)
class Portrait:
    """A picture inside an installed package."""

    package: str
    place: str
    credit: str

    def read(self) -> Image:
        """Read the picture.

        Raises:
            FSGANError: the package is not installed.
        """
        found = find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            raise FSGANError(f"the demo's portraits come with {self.package}; run: pip install 'fsgan[demo]'")
        return read_image(Path(found.submodule_search_locations[0]) / self.place)


COLLINS = Portrait("skimage", "data/astronaut.png", "Eileen Collins, astronaut. Picture: NASA, public domain.")
HOPPER = Portrait(
    "matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "Grace Hopper, admiral. Picture: US Navy, public domain."
)


@dataclass(frozen=True)
class Person:
    """A portrait, measured."""

    image: Image
    clip: Still
    face: FaceSequence
    source: AppearanceMap


@dataclass
class Demo:
    """One run of the demo.

    Attributes:
        folder: where everything is written.
        models: the stages.
        watch: shows progress.
        overwrite: whether files of an earlier run are replaced.
        times: seconds by step, in order.
    """

    folder: Path
    models: Models
    watch: Watch
    overwrite: bool = False
    times: dict[str, float] = field(default_factory=dict)

    def run(self) -> Path:
        """Do the job.

        Returns:
            the page to look at.

        Raises:
            FSGANError: a portrait is missing, or a file cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in FILES.values():
            check_output(self.folder / name, overwrite=self.overwrite)
        with self._timed("find and measure both faces"):
            collins, hopper = (self._person(portrait.read()) for portrait in (COLLINS, HOPPER))
        with self._timed("swap both faces"):
            swapped = [self._swap_still(a, b) for a, b in ((collins, hopper), (hopper, collins))]
        with self._timed("reenact one with the bundled motion"):
            self._reenact(hopper)
        with self._timed("swap the other face into the video"):
            self._swap_video(collins)
        for name, person in (("collins", collins), ("hopper", hopper)):
            self._write(name, person.image, None)
        for name, image in zip(("collins on hopper", "hopper on collins"), swapped, strict=True):
            self._write(name, image, SWAP)
        tiles = zip(CAPTIONS, (collins.image, hopper.image, *swapped), strict=True)
        moving = [*stills(self._path("motion"), "reenacted"), *stills(self._path("swapped"), "reenacted, then swapped")]
        overview = sheet([*(Tile(words, image.frame) for words, image in tiles), *moving], columns=4)
        self._write("sheet", Image(overview), SWAP)
        with staged(self._path("page"), overwrite=self.overwrite) as temporary:
            temporary.write_text(self._page(), encoding="utf-8")
        return self._path("page")

    def _person(self, image: Image) -> Person:
        clip = Still(image.frame)
        face = self._face(clip)
        return Person(image, clip, face, build_appearance_map([(clip, face)]))

    def _face(self, clip: Clip) -> FaceSequence:
        faces = analyze(clip, self.models).faces
        if not faces:
            raise NoFaceError("found no face in a portrait of the demo; reinstall the package, its weights are damaged")
        return max(faces, key=len)

    def _swap_still(self, source: Person, target: Person) -> Image:
        result = next(swap(target.clip, [target.face], [source.source], self.models))
        return Image(result.frame)

    def _reenact(self, person: Person) -> None:
        motion = load_analysis(OPEN / "motion.safetensors")
        results = reenact(person.image.frame, person.face.landmarks[0], motion.faces[0], self.models)
        with VideoWriter(
            self._path("motion"), rate=motion.rate, marking=REENACTMENT, overwrite=self.overwrite
        ) as writer:
            for result in self.watch(results, "reenacting", motion.frame_count):
                writer.write(result.frame)

    def _swap_video(self, source: Person) -> None:
        video = Video(self._path("motion"))
        results = swap(video, [self._face(video)], [source.source], self.models)
        with VideoWriter(self._path("swapped"), video, marking=SWAP, overwrite=self.overwrite) as writer:
            for result in self.watch(results, "swapping", video.frame_count_hint):
                writer.write(result.frame)

    def _write(self, name: str, image: Image, mark: Marking | None) -> None:
        write_image(self._path(name), image, marking=mark, overwrite=self.overwrite)

    def _path(self, name: str) -> Path:
        return self.folder / FILES[name]

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.times[step] = time.monotonic() - began

    def _page(self) -> str:
        def figure(name: str, words: str) -> Figure:
            return Figure(FILES[name], words)

        portraits = (figure("collins", COLLINS.credit), figure("hopper", HOPPER.credit))
        swaps = tuple(figure(name, words) for name, words in zip(tuple(FILES)[2:4], CAPTIONS[2:], strict=True))
        videos = (
            figure("motion", "Grace Hopper, moved by the bundled motion: looks aside, nods, smiles, speaks, blinks."),
            figure("swapped", "The same video with Eileen Collins's face."),
        )
        marks = tuple((FILES[name], _mark(self._path(name))) for name in tuple(FILES)[2:7])
        times = tuple((step, f"{seconds:.1f} s") for step, seconds in self.times.items())
        return page(
            f"FSGAN {VERSION}: the demo",
            "Two public-domain portraits, their faces exchanged, one of them set in motion. All of it was made on "
            "this machine, from pictures that come with installed packages, without a download.",
            [
                Section("The portraits", figures=portraits),
                Section("Swapped", "Each keeps her own picture: pose, light, hair. The face is the other's.", swaps),
                Section("Reenacted, then swapped", "A single picture follows a motion of five seconds.", videos),
                Section("Stages", "What happens to every face, in the order of the paper.", rows=STAGES),
                Section("Time", f"On {self.models.device}.", rows=times),
                Section("Provenance", "Every result says in its own metadata that it was made this way.", rows=marks),
            ],
        )


def write_material(folder: Path, models: Models, frames: int | None = None) -> dict[Path, Path]:
    """Write material to measure with: both portraits, and each set in motion by the bundled motion.

    Args:
        folder: made if it is not there; files of these names are replaced.
        models: the stages.
        frames: the first so many of the motion; None: all.

    Returns:
        sources and the targets they go onto.
    """
    folder.mkdir(parents=True, exist_ok=True)
    motion = load_analysis(OPEN / "motion.safetensors")
    stills, clips = [], []
    for name, portrait in (("collins", COLLINS), ("hopper", HOPPER)):
        image = portrait.read()
        faces = analyze(Still(image.frame), models).faces
        if not faces:
            raise NoFaceError(f"found no face in {portrait.credit} Reinstall the package, its weights are damaged")
        stills.append(folder / f"{name}.png")
        write_image(stills[-1], image, marking=None, overwrite=True)
        clips.append(folder / f"{name}-moving.mp4")
        with VideoWriter(clips[-1], rate=motion.rate, marking=REENACTMENT, overwrite=True) as writer:
            moving = reenact(image.frame, faces[0].landmarks[0], motion.faces[0], models)
            for result in islice(moving, frames):
                writer.write(result.frame)
    return dict(zip(stills, reversed(clips), strict=True))


STAGES = (
    ("detection, landmarks", "the face is found and measured at 478 points; its pose follows from them"),
    ("appearance map", "views of the source, arranged by yaw and pitch; here a single one"),
    ("reenactment", "the source's face is warped to the target's points; pixels are sampled once, at full resolution"),
    ("segmentation, completion", "which pixels are face; what the source does not show is filled"),
    ("blending", "the face takes the target's light and meets it without a seam"),
    ("compositing", "the face goes back into the frame; every pixel outside it stays as it was"),
)


def stills(path: Path, words: str, moments: tuple[float, ...] = (0.12, 0.35, 0.6, 0.85)) -> list[Tile]:
    """A few frames of a video, for a sheet.

    Args:
        path: of the video.
        words: caption.
        moments: which frames, as shares of the length.
    """
    video = Video(path)
    wanted = {round(moment * (video.frame_count_hint - 1)) for moment in moments}
    return [Tile(words, frame) for index, frame in enumerate(video) if index in wanted]


def _mark(path: Path) -> str:
    marking = read_marking(path)
    return marking.comment if marking else "none"
