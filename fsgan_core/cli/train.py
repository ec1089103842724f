"""``fsgan train``: train a network; a run in the same folder goes on where it stopped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from ..errors import FSGANError
from ..options import describe
from ..training.loop import Task, TrainOptions, train
from ..training.recipes import check_arguments, read_recipe
from .flags import add_device, add_options, chosen_device, file_path, naming, read_options

TASKS = (
    "detection",
    "landmarks",
    "local_landmarks",
    "irises",
    "alignment",
    "fitting",
    "features",
    "refinement",
    "segmentation",
    "completion",
    "blending",
)
"""Our own networks; each is a module of ``fsgan_core.training`` with a function ``task(data, ...)``."""
ARCHITECTURES = {
    "reenactment": ("msrunet-v2", "msrunet-v1"),
    "completion": ("msrunet-v2",),
    "blending": ("msrunet-v2",),
    "segmentation": ("unet-v2",),
}
"""Official architectures, which ``fsgan_core.training.official_tasks`` trains."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    tasks = sorted({*TASKS, *ARCHITECTURES})
    parser.add_argument("task", choices=tasks, metavar="TASK", help=f"the network to train: {', '.join(tasks)}")
    text = f"an official architecture, for data of 'fsgan dataset build' or the engine's: {_listed(ARCHITECTURES)}"
    parser.add_argument("--arch", metavar="NAME", help=text)
    parser.add_argument("--data", type=file_path, required=True, metavar="DIR", help="folder of the training material")
    text = "folder of the run: checkpoint, log, sheets of samples and, at the end, weights with their card"
    parser.add_argument("--out", type=file_path, required=True, metavar="DIR", help=text)
    text = "a recipe of the task (such as 'smoke') or a JSON file; flags below go before it"
    parser.add_argument("--recipe", default="", metavar="NAME", help=text)
    text = "an argument of the task itself, as JSON; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=text)
    add_device(parser)
    add_options(parser, TrainOptions, "training", leave=("device",))
    parser.set_defaults(stopped="the same command goes on from the last checkpoint")


def run(args: argparse.Namespace) -> None:
    """Train and print the last figures."""
    if not args.data.is_dir():
        raise FSGANError(f"no folder {args.data} with training material; name one with --data")
    if args.out.exists() and not args.out.is_dir():
        raise FSGANError(f"{args.out} is a file; name a folder for the run with --out")
    arch = args.arch or ("" if args.task in TASKS else ARCHITECTURES[args.task][0])
    with naming("--arch"):
        if arch and arch not in ARCHITECTURES.get(args.task, ()):
            raise ValueError(f"{args.task} has no architecture '{arch}'; known: {_listed(ARCHITECTURES)}")
    make, known = _maker(args.task, arch)
    before: dict[str, Any] = {}
    with naming("--recipe"):
        phases = read_recipe(f"{args.task}{'-' * bool(arch)}{arch}", args.recipe)
    for phase in phases:
        folder = args.out / phase.name
        options = read_options(args, TrainOptions, phase.options, device=chosen_device(args.device))
        with naming("--set"):
            arguments = {**phase.arguments, **dict(map(_setting, args.set)), **before}
            check_arguments(known, arguments)
        task = make(args.data, **arguments)
        figures = train(task, options, folder, command(args, options))
        before = {"start": folder / "model.safetensors"}
        if figures:
            print(f"wrote {folder / 'model.safetensors'}")
        for name, value in figures.items():
            print(f"{name:24} {value:.4g}")


def _maker(name: str, arch: str) -> tuple[Callable[..., Task], list[str]]:
    """What makes the task, and the names of its arguments."""
    if arch:
        official = import_module("..training.official_tasks", __package__)
        names = [field.name for field in fields(official.Plan) if field.name != "stage"]
        return partial(official.task, stage=name, arch=arch), names
    make = import_module(f"..training.{name}", __package__).task
    return make, list(signature(make).parameters)[1:]


def command(args: argparse.Namespace, options: TrainOptions) -> str:
    """What does the same again, without the user's folders."""
    words = ["fsgan train", args.task, *([f"--arch {args.arch}"] if args.arch else [])]
    words += [*([f"--recipe {Path(args.recipe).name}"] if args.recipe else [])]
    words += ["--data DIR --out DIR", *(f"--set {_shown(setting)}" for setting in args.set)]
    for option in describe(TrainOptions):
        value, flag = getattr(options, option.name), option.name.replace("_", "-")
        if value != option.default and option.name != "device":
            words.append(f"--{'no-' * (value is False)}{flag}" + ("" if option.type is bool else f" {value}"))
    return " ".join(words)


def _shown(word: str) -> str:
    """A setting as a card may show it: of a file its name alone."""
    name, value = _setting(word)
    return f"{name}={Path(value).name}" if isinstance(value, str) else word


def _setting(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"found '{word}', expected NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _listed(architectures: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{task} {', '.join(names)}" for task, names in architectures.items())
