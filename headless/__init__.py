"""Graphs of the pack's nodes without ComfyUI: a stand-in for it, the core nodes our workflows use, an executor.

The door beside ``nodes`` for people without the graph page; ``fsgan run`` opens it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .host import Folders


def catalogue(folders: Folders, device: str = "cpu") -> dict[str, Any]:
    """Every node class that can run here by its id: the pack's, on a stand-in for ComfyUI, and some of the core's.

    Args:
        folders: that stand for ComfyUI's.
        device: where models run.
    """
    from . import host

    host.install(folders, device)
    from ..nodes import NODES
    from ..nodes.host import register_folders
    from .core_nodes import CORE

    register_folders()
    return {node.define_schema().node_id: node for node in (*CORE, *NODES)}
