#!/usr/bin/env python3
"""multiprocessing, by fork or by spawn (the argument): children that use CUDA, one of which fails, beside their parent."""
import multiprocessing
import sys


def work(rank, results):
    import torch
    x = torch.full((1000,), float(rank + 1), device="cuda")
    for _ in range(50):
        x = x * 1.0
    results.put((rank, x.sum().item()))
    results.close()
    results.join_thread()
    if rank == 2:
        sys.exit(7)


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    results = context.Queue()
    children = [context.Process(target=work, args=(rank, results)) for rank in range(3)]
    for child in children:
        child.start()
    sums = sorted(results.get() for _ in children)
    for child in children:
        child.join()
    import torch  # after the fork: CUDA cannot be used on both sides of one
    print(sums, [child.exitcode for child in children], torch.ones(10, device="cuda").sum().item())
