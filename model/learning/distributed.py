"""Data-parallel training: several processes train one network, each on its shard of every batch. `torchrun` starts them.

Each process holds the whole network and takes the same steps: it computes the gradients of its shard, and they are summed
over all processes before the step. Rank zero's dev F1 is broadcast, so that all processes stop at the same epoch.
"""

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import distributed


class DistributedContext:
    """This process's place among those that train together; alone (`world_size` 1) where `torchrun` started none."""

    def __init__(self) -> None:
        # torchrun's variables: https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
        self.world_size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))

    @property
    def is_rank_zero(self) -> bool:
        """Return whether this process is the one that reports progress, keeps checkpoints and writes the version."""
        return self.rank == 0

    def init_process_group(self, device: torch.device) -> torch.device:
        """Connect the processes and return this one's device: a GPU of its own where they train on GPUs."""
        if self.world_size > 1:
            if device.type == "cuda":
                device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
                torch.cuda.set_device(device)
            if not distributed.is_initialized():
                distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return device

    def shard(self, batch: Sequence[int]) -> Sequence[int]:
        """Return this process's part of a batch; together the parts are the batch."""
        return batch[self.rank :: self.world_size]

    def all_reduce_gradients(self, network: Any, loss: float) -> float:
        """Replace the gradients of `network` by their sum over all processes, and return the sum of the losses."""
        if self.world_size == 1:
            return loss
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        flat = [torch.zeros_like(p).view(-1) if p.grad is None else p.grad.reshape(-1) for p in parameters]
        everything = torch.cat([*flat, flat[0].new_tensor([loss])])
        distributed.all_reduce(everything)
        for parameter, summed in zip(parameters, everything[:-1].split([len(each) for each in flat]), strict=True):
            parameter.grad = summed.view_as(parameter)
        return float(everything[-1])

    def broadcast(self, value: float, device: torch.device) -> float:
        """Return rank zero's `value`, in every process."""
        if self.world_size == 1:
            return value
        sent = torch.tensor([value], dtype=torch.float64, device=device)
        distributed.broadcast(sent, src=0)
        return float(sent)
