"""FSGAN for ComfyUI: face reenactment and swapping nodes over the headless package ``fsgan_core``."""

from importlib.util import find_spec

WEB_DIRECTORY = "./web"
"""Where ComfyUI finds the help pages."""

if find_spec("comfy_api") is not None:
    # Imported when ComfyUI asks, so that test collection and headless use never touch the nodes.
    async def comfy_entrypoint():  # noqa: ANN201
        """Give ComfyUI the pack's nodes."""
        from .nodes import Extension

        return Extension()
