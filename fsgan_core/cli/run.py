"""``fsgan run``: a graph of the pack's nodes without ComfyUI."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

from ..errors import FSGANError
from ..weights.catalog import user_folder
from .flags import add_device, chosen_device, file_path, naming

PACK = "fsgan_pack"
"""Name under which the folder of the pack is imported, as ComfyUI imports it by its path."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("workflow", type=file_path, help="graph in ComfyUI's API format, as in workflows/api")
    text = (
        "value of an input; NODE is a node's number, title or class; NODE=FILE puts a picture or video in the place of"
    )
    text += " a node that gives one; may be given often"
    parser.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE", dest="values", help=text)
    text = "where LoadImage and LoadVideo look for names that --set does not change (default: this folder)"
    parser.add_argument("--input-dir", type=file_path, default=Path(), metavar="DIR", help=text)
    text = "where results go; files are numbered and none is overwritten (default: output)"
    parser.add_argument("--output-dir", type=file_path, default=Path("output"), metavar="DIR", help=text)
    text = "stands for ComfyUI's models folder: weights in fsgan/, face sets in fsgan/faces/ (default: the user's)"
    parser.add_argument("--models-dir", type=file_path, metavar="DIR", help=text)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Read, change, check, run; print what was written and shown."""
    pack = _pack()
    graphs, values, host = (import_module(f"{pack.__name__}.headless.{part}") for part in ("graph", "values", "host"))
    graph = graphs.read_graph(args.workflow)
    with tempfile.TemporaryDirectory(prefix="fsgan-") as temporary:
        places = (args.input_dir, args.output_dir.resolve(), Path(temporary), args.models_dir or user_folder())
        folders = host.Folders(*places)
        catalogue = import_module(f"{pack.__name__}.headless").catalogue(folders, chosen_device(args.device))
        with naming("--set"):
            graph = values.assigned(graph, args.values, catalogue, folders)
        numbers = graphs.order(graph, catalogue)
        values.check(graph, numbers, catalogue)
        # Imported last: it stands on the stand-in.
        execution = import_module(f"{pack.__name__}.headless.execution")
        nodes = execution.execute(graph, numbers, catalogue)
        bar = tqdm(nodes, "nodes", len(numbers), leave=False, disable=not sys.stderr.isatty())
        for ran in bar:
            for words in ran.words:
                bar.write(f"{ran.title}: {words}", sys.stdout)
            for file in ran.files:
                bar.write(f"wrote {args.output_dir / file}", sys.stdout)
                args.stopped = f"what was written before stays in {args.output_dir}"


def _pack() -> ModuleType:
    """The pack around this package: the folder that holds ``nodes`` and ``headless`` beside it.

    Raises:
        FSGANError: this package was installed without them.
    """
    if PACK in sys.modules:
        return sys.modules[PACK]
    folder = Path(__file__).resolve().parents[2]
    if not all((folder / part / "__init__.py").is_file() for part in ("nodes", "headless")):
        found = f"found no nodes beside {folder / 'fsgan_core'}"
        raise FSGANError(
            f"{found}; graphs run from the pack's folder: pip install -e it, or python -m fsgan_core there"
        )
    spec = spec_from_file_location(PACK, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise FSGANError(f"{folder} cannot be imported; check its __init__.py")
    pack = module_from_spec(spec)
    sys.modules[PACK] = pack
    spec.loader.exec_module(pack)
    return pack
