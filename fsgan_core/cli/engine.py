"""The stages, as flags: which backend does each, on which device, with which options."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import Any

from ..models import MENUS, Backends, Models
from ..options import describe
from ..stages.blending import BLENDERS, Blender, BlendOptions
from ..stages.reenactment import FlowOptions
from .flags import add_device, add_options, chosen_device, read_options

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
            text = f"backend of this stage (default: {option.default})"
            group.add_argument(f"--{option.name}", choices=MENUS[option.name], default=option.default, help=text)
    if "reenactment" in stages:
        add_options(parser, FlowOptions, "reenactment: flow")
    if "blending" in stages:
        add_options(parser, BlendOptions, "blending", prefix="blend-")


def chosen_backends(args: argparse.Namespace) -> Backends:
    """The backends asked for; the default where the command has no flag."""
    return Backends(**{name: getattr(args, name) for name in MENUS if hasattr(args, name)})


def load_models(args: argparse.Namespace) -> Models:
    """Build the stages as the flags of :func:`add_stages` say."""
    backends = chosen_backends(args)
    flow, blend = read_options(args, FlowOptions), read_options(args, BlendOptions)
    models = Models.load(backends, chosen_device(args.device), flow)
    blender: Blender = BLENDERS[backends.blending](blend)
    return replace(models, blending=blender)


def engine_values(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the stages, for a report."""
    return {"flow": asdict(read_options(args, FlowOptions)), "blend": asdict(read_options(args, BlendOptions))}
