"""Whose face: flags that choose among the faces of a picture or video, and sources made into appearance maps."""

from __future__ import annotations

import argparse
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError, NoFaceError
from ..evaluation.identity import load_if_installed
from ..evaluation.strangers import told_clips, told_views
from ..faces import Analysis, FaceSequence
from ..media import Image, is_video
from ..models import Models
from ..pipeline import AnalyzeOptions, analyze, build_appearance_map
from ..stages.appearance_file import load
from ..stages.appearance_map import AppearanceMap
from ..stages.candidates import MapOptions
from ..stages.selection import RULES, describe_faces, select, select_like
from ..streams import Clip
from .clips import Input, Watched, opened
from .flags import file_path, read_options

TENSORS = ".safetensors"
"""Suffix of files that hold a measured thing instead of pixels: an appearance map or an analysis."""
_NUMBERS = (
    "0 is the face farthest left, 1 the next to the right, in whichever row it stands; "
    "'fsgan analyze PICTURE -o faces.png' shows them"
)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add ``--source`` and ``--source-face``."""
    text = f"pictures and videos of one person, or a map ({TENSORS}) made by 'fsgan faces build'"
    parser.add_argument("--source", "-s", type=file_path, required=True, nargs="+", metavar="FILE", help=text)
    add_source_face(parser)


def add_source_face(parser: argparse.ArgumentParser) -> None:
    """Add ``--source-face``."""
    text = f"the person's face in them: largest, or a number: {_NUMBERS} (default: largest)"
    parser.add_argument("--source-face", type=_one, default="largest", metavar="WHICH", help=text)


def add_choice(parser: argparse.ArgumentParser, subject: str = "target") -> None:
    """Add ``--face`` and ``--reference``, which choose among the faces of what ``--subject`` names."""
    text = f"faces of the {subject}: largest, all, or a number: {_NUMBERS} (default: largest)"
    parser.add_argument("--face", type=_which, default="largest", metavar="WHICH", help=text)
    text = f"picture of the person in the {subject} whose face is meant, instead of --face"
    parser.add_argument("--reference", type=file_path, metavar="FILE", help=text)


def check_reference(args: argparse.Namespace) -> None:
    """Refuse a reference that is no picture, before any work.

    Raises:
        MediaError: it is a video, or nothing that can be read.
    """
    if args.reference is not None and is_video(args.reference):
        raise MediaError(f"--reference {args.reference} is a video, expected a picture of the person")


def measured(item: Input, models: Models, args: argparse.Namespace) -> Analysis:
    """Measure the faces of an input; say what is wrong with its file.

    Raises:
        NoFaceError: there is none.
    """
    clip = Watched(item.clip, f"measuring {item.path.name}", item.length)
    analysis = analyze(clip, models, read_options(args, AnalyzeOptions))
    for words in item.notes:
        print(f"note: {words}")
    if not analysis.faces:
        raise NoFaceError(f"found no face in {item.path}; name one that shows a face, larger, upright or less covered")
    return analysis


def source_map(args: argparse.Namespace, models: Models) -> tuple[AppearanceMap, list[str]]:
    """The appearance map of the person that ``args.source`` shows, and what is said if it seems to be several."""
    words = ""
    if len(args.source) == 1 and args.source[0].suffix.lower() == TENSORS:
        source = load(args.source[0])
        words = told_views(source, load_if_installed(models.device))
    else:
        items = [opened(path) for path in args.source]
        clips = [(item.clip, _person(item, models, args)) for item in items]
        source = build_appearance_map(clips, read_options(args, MapOptions))
        if len(clips) > 1:
            words = told_clips(clips, [path.name for path in args.source], load_if_installed(models.device))
    if words:
        print(f"note: {words}")
    return source, [words] if words else []


def source_picture(args: argparse.Namespace, models: Models) -> tuple[Image, NDArray[np.float32]]:
    """The first source's picture and its face's landmarks; of a video, the frame that looks most straight ahead."""
    item = opened(args.source[0])
    face = _person(item, models, args)
    frame = next(islice(item.clip, face.track.start + face.frontal, None))
    return item.image or Image(frame), face.landmarks[face.frontal]


def chosen_faces(clip: Clip, analysis: Analysis, models: Models, args: argparse.Namespace) -> tuple[FaceSequence, ...]:
    """The target's faces that the flags of :func:`add_choice` mean.

    Args:
        clip: where the faces were measured; a reference is compared with its pixels.
        analysis: all faces.
        models: the stages.
        args: with ``face`` and ``reference``.
    """
    if args.reference is None:
        return select(analysis, args.face)
    item = opened(args.reference)
    wanted = describe_faces(item.clip, [_person(item, models, args)])[0][0]
    return select_like(analysis.faces, describe_faces(clip, analysis.faces), wanted)


def _person(item: Input, models: Models, args: argparse.Namespace) -> FaceSequence:
    """The one face meant in a source. Across a cut it may be somebody else, so of several shots the longest counts."""
    return max(select(measured(item, models, args), getattr(args, "source_face", "largest")), key=len)


def _which(word: str) -> str:
    return word if word in RULES else _one(word, ", ".join(RULES))


def _one(word: str, names: str = "largest") -> str:
    if word != "largest" and not word.isdecimal():
        raise argparse.ArgumentTypeError(f"found '{word}', expected {names} or a number from 0")
    return word
