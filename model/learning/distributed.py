"""Processes that train one network together, each with its share of every batch; `torchrun` starts them.

Each holds the whole network and takes the same steps: it works out the gradients of its share, and they are summed
before the step. What one decides (the leader's dev F1) all follow, so that they end together.
"""

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import distributed


class Team:
    """This process's place in its team; a team of one, where nobody started more."""

    def __init__(self) -> None:
        # torchrun's variables: https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))

    @property
    def leads(self) -> bool:
        """Whether this process is the one that tells, keeps checkpoints, and writes the version."""
        return self.rank == 0

    def gather(self, device: torch.device) -> torch.device:
        """All processes are connected; the device of this one, which is a GPU of its own where they train on GPUs."""
        if self.size > 1:
            if device.type == "cuda":
                device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
                torch.cuda.set_device(device)
            if not distributed.is_initialized():
                distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return device

    def share(self, batch: Sequence[int]) -> Sequence[int]:
        """This process's part of a batch; together the parts are the batch."""
        return batch[self.rank :: self.size]

    def add_up(self, network: Any, loss: float) -> float:
        """Every process has the sum of all gradients; the sum of all losses."""
        if self.size == 1:
            return loss
        parameters = list(network.parameters())
        flat = [torch.zeros_like(p).view(-1) if p.grad is None else p.grad.reshape(-1) for p in parameters]
        everything = torch.cat([*flat, flat[0].new_tensor([loss])])
        distributed.all_reduce(everything)
        for parameter, summed in zip(parameters, everything[:-1].split([len(each) for each in flat]), strict=True):
            parameter.grad = summed.view_as(parameter)
        return float(everything[-1])

    def agree(self, value: float, device: torch.device) -> float:
        """What the leader's `value` is."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=device)
        distributed.broadcast(told, src=0)
        return float(told)
