"""Poisson Blend: any picture into any other."""

from __future__ import annotations

from typing import Any

import torch

from . import host, pictures, widgets


class PoissonBlend(host.Node):
    """Gradient-domain cloning."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Two pictures and a mask in, one picture out."""
        gradients = (
            "Keep the source's details (normal), or the stronger of both pictures' (mixed), for see-through things."
        )
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_PoissonBlend",
            display_name="Poisson Blend",
            category="FSGAN/blend",
            description="Clone the masked part of one picture into another without a seam (Poisson image editing).",
            search_aliases=["seamless clone", "gradient blend", "poisson image editing", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "target", "The picture that is kept outside the mask."),
                widgets.socket(host.io.Image, "source", "The picture that goes into the mask; of the target's size."),
                widgets.socket(host.io.Mask, "mask", "White where the source is wanted. Of any size."),
                widgets.choice("gradients", ("normal", "mixed"), gradients),
            ],
            outputs=[widgets.output(host.io.Image, "image", "The target with the source inside the mask.")],
        )

    @classmethod
    def execute(cls, target: Any, source: Any, mask: Any, gradients: str) -> host.io.NodeOutput:
        """Solve every picture on the host's device."""
        from ..fsgan_core.ops.poisson import poisson_blend

        count = max(len(target), len(source))
        base, face = (_batch(one, count) for one in (target, source))
        if base.shape != face.shape:
            found = " and ".join(f"{one.shape[3]}x{one.shape[2]}" for one in (face, base))
            raise ValueError(f"found a source and a target of {found}; scale the source to the target's size")
        layers = pictures.mask_values(mask, (base.shape[3], base.shape[2]), count)
        done = []
        for row, layer in host.Progress(count).watch(enumerate(layers)):
            part = slice(row, row + 1)
            wanted = torch.zeros_like(base[part, :1]) if layer is None else torch.from_numpy(layer)[None, None].to(base)
            done.append(poisson_blend(face[part], base[part], wanted, gradients).clamp(0, 1))
        return host.io.NodeOutput(torch.cat(done).permute(0, 2, 3, 1).to(host.results_device()))


def _batch(images: Any, count: int) -> torch.Tensor:
    """An IMAGE as ``(count, 3, H, W)`` on the host's device.

    Raises:
        ValueError: it is neither one picture nor ``count``.
    """
    if len(images) not in (1, count):
        raise ValueError(f"found batches of {len(images)} and {count} pictures; give equal ones, or one picture")
    values = images.float()[..., :3].expand(count, -1, -1, 3)
    return values.permute(0, 3, 1, 2).contiguous().to(host.device())
