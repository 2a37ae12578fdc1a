#!/usr/bin/env python3
"""PyTorch training in the eager mode, with an optimizer, several streams and events. The losses are the same in every run."""
import os

os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
import torch

torch.manual_seed(0)
torch.use_deterministic_algorithms(True)
model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.GELU(), torch.nn.LayerNorm(512),
                            torch.nn.Linear(512, 10)).cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
x = torch.randn(128, 256).pin_memory()
y = torch.randint(0, 10, (128,)).pin_memory()
copies = torch.cuda.Stream()
for step in range(30):
    with torch.cuda.stream(copies):
        inputs, labels = x.to("cuda", non_blocking=True), y.to("cuda", non_blocking=True)
        copied = copies.record_event()
    torch.cuda.current_stream().wait_event(copied)
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    torch.cuda.synchronize()
    if step % 10 == 9:
        print(f"step {step + 1}: loss {loss.item():.6f}")
try:
    torch.empty(1 << 50, device="cuda")
except torch.cuda.OutOfMemoryError:
    print("an allocation that cannot be fails as it does")
