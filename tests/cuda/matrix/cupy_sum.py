#!/usr/bin/env python3
"""CuPy: kernels that it compiles, memory pools, streams."""
import cupy

x = cupy.arange(100000, dtype=cupy.float64)
with cupy.cuda.Stream(non_blocking=True):
    y = cupy.sqrt(x) * 2
    cupy.cuda.get_current_stream().synchronize()
print(f"{float(y.sum()):.3f}")
