"""``fsgan train``: train one of our networks; a run in the same folder goes on where it stopped."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from ..errors import FSGANError
from ..training.loop import TrainOptions, train
from .flags import add_device, add_options, chosen_device, read_options

TASKS = ("detection", "landmarks")
"""What can be trained; each is a module of ``fsgan_core.training`` with a function ``task(data)``."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("task", choices=TASKS, help="the network to train")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the training material")
    text = "folder of the run: checkpoint, log and, at the end, weights with their card"
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=text)
    add_device(parser)
    add_options(parser, TrainOptions, "training", leave=("device",))


def run(args: argparse.Namespace) -> None:
    """Train and print the last figures."""
    if not args.data.is_dir():
        raise FSGANError(f"no folder {args.data} with training material; name one with --data")
    if args.out.exists() and not args.out.is_dir():
        raise FSGANError(f"{args.out} is a file; name a folder for the run with --out")
    options = read_options(args, TrainOptions, device=chosen_device(args.device))
    task = import_module(f"..training.{args.task}", __package__).task(args.data)
    figures = train(task, options, args.out)
    print(f"wrote {args.out / 'model.safetensors'}")
    for name, value in figures.items():
        print(f"{name:24} {value:.4g}")
