"""The command line: one module a command, each with ``configure(parser)`` and ``run(args)``; errors end here.

Only the module of the command that is called is imported, so that ``--help`` and small commands are quick.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from ..errors import FSGANError
from ..provenance import VERSION
from .flags import add_debug
from .stopping import Told, ending_tidily

COMMANDS = {
    "swap": "put a source's face onto a target's",
    "reenact": "let a source move as a target does",
    "edit": "change a face's pose and expression by numbers: turn, blink, look, smile, open the mouth",
    "analyze": "measure the faces of a picture or video: tracks, landmarks, poses",
    "faces": "make and look at appearance maps, a source's views by pose",
    "run": "run a graph of the ComfyUI nodes without ComfyUI",
    "dataset": "make training material of a folder of photos and videos",
    "evaluate": "measure swaps and reenactments by the paper's protocols: tables, curves, pictures",
    "train": "train a network",
    "adapt": "fit the reenactment network to one person's pictures",
    "weights": "list the bundled and the official weights, check a converted file",
    "convert": "turn an official checkpoint into a safetensors file",
    "inspect": "read what a picture or video says of its making",
    "demo": "do the main job on two public-domain portraits, without a download",
}
"""What each command does; the names are also those of the modules."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; the process's own when not given.

    Returns:
        exit status: 0 done, 1 failed, with one line on stderr. A usage error leaves with ``SystemExit(2)``, a signal
        to end with 128 and its number.
    """
    # Threads that wait give way: spinning makes the many small steps several times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    parsers = _parsers(words[:1])
    args, unknown = parsers[""].parse_known_args(words)
    if unknown:
        args.parser.error(f"found {' '.join(unknown)}, which it does not know")
    try:
        with ending_tidily():
            args.run(args)
            sys.stdout.flush()
    except argparse.ArgumentError as error:
        args.parser.error(str(error))
    except (KeyboardInterrupt, Told) as stop:
        status = _failed(args, f"stopped; {getattr(args, 'stopped', 'nothing was written')}")
        if isinstance(stop, Told):
            raise
        return status
    except BrokenPipeError as error:
        return 1 if _unread() else _failed(args, str(error))
    except (FSGANError, ValueError, OSError) as error:
        return _failed(args, str(error))
    except ModuleNotFoundError as error:
        return _failed(args, f"the Python package '{error.name}' is not installed; README lists what brings it")
    except Exception as error:  # noqa: BLE001 (the last door: whatever happened, one line)
        kind = type(error).__name__
        return _failed(args, f"{kind}: {error}; this is a defect, --debug shows where")
    return 0


def _unread() -> bool:
    """Whether nobody reads the lines any more, such as ``head`` that has enough: then what is left goes nowhere."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


class Words(argparse.HelpFormatter):
    """Help whose first line has what a command needs; the options are listed below it, each with its meaning."""

    _others = argparse.Action([], "options", metavar="[options]")

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        """See :class:`argparse.HelpFormatter`, which names every option."""
        needed = [action for action in actions if action.required or not action.option_strings]
        if prefix is None and not any(action.nargs == argparse.PARSER for action in needed):
            needed.append(self._others)
        super().add_usage(usage, needed, (), prefix)


class Parser(argparse.ArgumentParser):
    """Tells a usage error in two lines: what was found and expected, and where all flags are explained."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **{"formatter_class": Words, **named})

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n'{self.prog} --help' lists what it takes\n")


def _parsers(wanted: Sequence[str]) -> dict[str, argparse.ArgumentParser]:
    """The parser of the program, under the empty name, and those of its commands; only the wanted one is complete."""
    program = Parser("fsgan", description="Face reenactment and swapping, subject agnostic.")
    program.add_argument("--version", action="version", version=f"fsgan {VERSION}")
    commands = program.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers: dict[str, argparse.ArgumentParser] = {"": program}
    for name, text in COMMANDS.items():
        parsers[name] = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name in wanted:
            module = import_module(f".{name}", __package__)
            module.configure(parsers[name])
            add_debug(parsers[name])
            parsers[name].set_defaults(run=module.run, debug=False)
    return parsers


def _failed(args: argparse.Namespace, message: str) -> int:
    if args.debug:
        traceback.print_exc()
    print(f"fsgan {args.command}: {' '.join(message.split())}", file=sys.stderr)
    return 1
