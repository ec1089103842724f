"""The stages, as flags: which backend does each, on which device, with which options."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import Any

from ..models import MENUS, Backends, Models
from ..options import describe
from ..stages.blending import BlendOptions
from ..stages.official_files import SETS, is_official
from ..stages.reenactment import FlowOptions
from .flags import add_device, add_options, chosen_device, read_options, some_name

MEASURING = ("detection", "landmarks")
"""Stages that are needed to measure faces."""


def add_stages(parser: argparse.ArgumentParser, stages: tuple[str, ...]) -> None:
    """Add ``--device`` and a flag for the backend of each stage.

    Args:
        parser: of the command.
        stages: keys of :data:`~fsgan_core.models.MENUS`.
    """
    add_device(parser)
    group = parser.add_argument_group("stages")
    for option in describe(Backends):
        if option.name in stages:
            usual = f"{option.default}{', or what --models says' * ('reenactment' in stages)}"
            menu = (*MENUS[option.name], *SETS.get(option.name, ()))
            group.add_argument(f"--{option.name}", choices=menu, help=f"backend of this stage (default: {usual})")
    if "reenactment" in stages:
        text = "open, v2, v1 or a folder of converted official files: what does the stages not named by a flag"
        group.add_argument("--models", type=some_name, default="open", metavar="SET", help=f"{text} (default: open)")
        add_options(parser, FlowOptions, "reenactment: flow")
    if "blending" in stages:
        add_options(parser, BlendOptions, "blending", prefix="blend-")


def chosen_backends(args: argparse.Namespace) -> Backends:
    """The backends asked for; the weight set's where a flag was not given.

    Raises:
        WeightsError: the weight set is not there.
    """
    given = {name: getattr(args, name) for name in MENUS if getattr(args, name, None) is not None}
    return replace(Backends.of(getattr(args, "models", "open")), **given)


def load_models(args: argparse.Namespace) -> Models:
    """Build the stages as the flags of :func:`add_stages` say; name those that a folder of weights has no file for."""
    _note_missing(args)
    flow, blend = read_options(args, FlowOptions), read_options(args, BlendOptions)
    return Models.load(chosen_backends(args), chosen_device(args.device), flow, blend)


def _note_missing(args: argparse.Namespace) -> None:
    models = getattr(args, "models", "open")
    if models in ("open", "v1", "v2"):
        return
    backends = Backends.of(models)
    for stage in SETS:
        name = getattr(backends, stage)
        if not is_official(stage, name) and getattr(args, stage, "") is None:
            print(f"note: {models} has no file for {stage}; our own '{name}' does it (another: --{stage})")


def weights_used(args: argparse.Namespace) -> str:
    """The weight sets for a file's mark."""
    return chosen_backends(args).weights


def engine_values(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the stages, for a report."""
    return {"flow": asdict(read_options(args, FlowOptions)), "blend": asdict(read_options(args, BlendOptions))}
