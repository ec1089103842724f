"""Small tasks for tests of the loop, run in a process of their own by ``toy.py KIND OUT STEPS PAUSE [plain]``."""

import sys
import time
from pathlib import Path

import torch
from torch import nn

from fsgan_core.networks.discriminator import least_squares_loss
from fsgan_core.training.loop import TrainOptions, train
from fsgan_core.weights.checkpoint import save_weights


class Line:
    """Fits a line with noise from dropout, so that chance has to be resumed too."""

    pause = 0.0

    def __init__(self, norm=True):
        torch.manual_seed(3)
        middle = nn.BatchNorm1d(8) if norm else nn.Identity()
        self.model = nn.Sequential(nn.Linear(2, 8), middle, nn.ReLU(), nn.Dropout(0.3 * norm), nn.Linear(8, 1))

    def batches(self, seed):
        while True:
            x = torch.rand(16, 2, generator=torch.Generator().manual_seed(seed))
            yield {"x": x, "y": x.sum(1, keepdim=True)}
            seed += 1

    def losses(self, model, batch):
        time.sleep(self.pause)
        return {"distance": (model(batch["x"]) - batch["y"]).abs().mean()}

    def evaluate(self, model):
        x = torch.rand(64, 2, generator=torch.Generator().manual_seed(99))
        with torch.no_grad():
            return {"error": float((model(x) - x.sum(1, keepdim=True)).abs().mean())}

    def export(self, model, path, figures):
        save_weights(path, model.state_dict(), "line", None, error=str(figures["error"]))


class JudgedLine(Line):
    """The same with a critic that learns to tell its answers from true ones."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))

    def losses(self, model, batch):
        found = model(batch["x"])
        batch["found"] = found.detach()
        time.sleep(self.pause)
        judged = least_squares_loss([self.critic(torch.cat([batch["x"], found], 1))], True)
        return {"distance": (found - batch["y"]).abs().mean(), "adversarial": 0.1 * judged}

    def critic_losses(self, critic, batch):
        false, true = (critic(torch.cat([batch["x"], y], 1)) for y in (batch["found"], batch["y"]))
        return {"critic": 0.5 * (least_squares_loss([false], False) + least_squares_loss([true], True))}


def options(**changes):
    return TrainOptions(**({"steps": 30, "warmup": 5, "every": 10, "lr": 0.02, "bfloat16": False} | changes))


if __name__ == "__main__":
    torch.set_num_threads(1)
    kind, out, steps, Line.pause = globals()[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    if len(sys.argv) == 5:
        train(kind(), options(steps=steps), out)
    else:
        # Twice, as the phases of a recipe are.
        for name in ("first", "second"):
            train(kind(norm=False), options(steps=steps), out / name)
