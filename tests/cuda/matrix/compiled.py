#!/usr/bin/env python3
"""torch.compile with CUDA graphs: kernels that Triton generates, captured and replayed. The sums are the same in every run."""
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(*[layer for _ in range(4) for layer in (torch.nn.Linear(256, 256), torch.nn.ReLU())]).cuda().eval()
compiled = torch.compile(model, mode="reduce-overhead")
with torch.no_grad():
    for step in range(40):
        torch.compiler.cudagraph_mark_step_begin()
        result = compiled(torch.full((64, 256), step / 40, device="cuda")).sum().item()
        if step % 10 == 9:
            print(f"step {step + 1}: {result:.4f}")
