#!/usr/bin/env python3
"""A DataLoader with worker processes, forked from a process that uses CUDA already, and pinned memory."""
import torch
from torch.utils.data import DataLoader, Dataset


class Numbers(Dataset):
    def __len__(self):
        return 512

    def __getitem__(self, i):
        return torch.full((64,), float(i))


if __name__ == "__main__":
    total = torch.zeros((), device="cuda")
    for epoch in range(2):
        for batch in DataLoader(Numbers(), batch_size=32, num_workers=3, pin_memory=True):
            total += batch.to("cuda", non_blocking=True).sum()
        print(f"epoch {epoch + 1}: {total.item():.0f}")
