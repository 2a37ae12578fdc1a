#!/usr/bin/env python3
"""A small training loop, to compare what is recorded of it with what PyTorch's own profiler counts. By hand:

    python3 tests/cuda/train.py profile              # how many kernels torch.profiler counts in 20 steps
    grosr record -o t.db -- python3 tests/cuda/train.py
    grosr query t.db "SELECT count(*) FROM kernels k JOIN ranges r ON k.launch BETWEEN r.start AND r.end
                      WHERE r.name = 'measured'"
"""
import sys

import torch

STEPS = 20

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(512, 1024), torch.nn.ReLU(), torch.nn.LayerNorm(1024),
                            torch.nn.Linear(1024, 10)).cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
x = torch.randn(256, 512, device="cuda")
y = torch.randint(0, 10, (256,), device="cuda")


def step():
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def measured():
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize()


for _ in range(3):
    step()
torch.cuda.synchronize()
if sys.argv[1:] == ["profile"]:
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        measured()
    on_gpu = [e for e in profiler.events() if str(e.device_type).endswith("CUDA")]
    print(sum(not e.name.startswith(("Memcpy", "Memset")) for e in on_gpu), "kernels")
else:
    torch.cuda.nvtx.range_push("measured")
    measured()
    torch.cuda.nvtx.range_pop()
