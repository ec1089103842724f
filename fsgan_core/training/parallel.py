"""Several processes that train one model together, as ``torchrun`` starts them.

Gradients are averaged in one message a step instead of by a wrapper around the model, so that a task sees its own
model, its attributes and methods, however many processes there are.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

APART = 1 << 24
"""Batches between the numbers of one process and those of the next: none is seen twice."""


@dataclass(frozen=True)
class Group:
    """The processes of a run; alone by default.

    Attributes:
        rank: number of this process.
        size: number of processes.
        device: of this process.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process evaluates and writes."""
        return self.rank == 0

    @torch.no_grad()
    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the processes; parameters unused in one count as zero there."""
        if self.size > 1:
            parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
            flat = torch.cat([_gradient(parameter).flatten() for parameter in parameters])
            dist.all_reduce(flat)
            parts = (flat / self.size).split([parameter.numel() for parameter in parameters])
            for parameter, part in zip(parameters, parts, strict=True):
                parameter.grad = part.view_as(parameter)

    @torch.no_grad()
    def share(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Go on when all have come so far."""
        if self.size > 1:
            dist.barrier()

    def agreed(self, value: float) -> float:
        """A number as the first process has it, such as a time."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared)


def joined(device: str) -> Group:
    """The group that this process belongs to; alone if ``torchrun`` did not start it.

    Processes join once and stay together to their end, over several trainings.

    Args:
        device: ``cuda`` becomes the GPU of this process's number.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group(device=device)
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        atexit.register(dist.destroy_process_group)
    return Group(dist.get_rank(), size, device)


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
