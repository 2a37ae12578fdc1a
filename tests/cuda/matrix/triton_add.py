#!/usr/bin/env python3
"""A kernel in Triton, launched through the driver API."""
import torch
import triton
import triton.language as tl


@triton.jit
def add(a, b, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    tl.store(out + at, tl.load(a + at, mask=inside) + tl.load(b + at, mask=inside), mask=inside)


n = 100000
a = torch.arange(n, device="cuda", dtype=torch.float32)
out = torch.empty_like(a)
for _ in range(100):
    add[(triton.cdiv(n, 1024),)](a, a, out, n, BLOCK=1024)
print("equal", torch.equal(out, 2 * a))
