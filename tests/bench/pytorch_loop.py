#!/usr/bin/env python3
"""The loops that recorder.py measures: iterations a second of each, as JSON.

    pytorch_loop.py [all|cuda]        # alone, or under torch.profiler: of everything, or of CUDA only

linear: 20 linear layers, eager, so small that the host's launches take all the time.
graph:  the same layers as a CUDA graph, replayed.
launch: one kernel, launched by the driver API with as little beside it as Python can have.
"""
import ctypes
import json
import sys
import time

import torch

SECONDS = 1.5


def measure(step):
    """Iterations a second, with a wait for the device after every 100, after as many that are not counted."""
    for until in (SECONDS / 3, SECONDS):
        torch.cuda.synchronize()
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < until:
            for _ in range(100):
                step()
            torch.cuda.synchronize()
            count += 100
        rate = count / (time.perf_counter() - start)
    return rate


PTX = b""".version 7.0
.target sm_70
.address_size 64
.visible .entry nothing() { ret; }
"""


def launcher(launches):
    """A function that makes that many launches of an empty kernel, through cuLaunchKernel."""
    driver = ctypes.CDLL("libcuda.so.1")
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    if driver.cuModuleLoadData(ctypes.byref(module), PTX) or \
            driver.cuModuleGetFunction(ctypes.byref(function), module, b"nothing"):
        sys.exit("the kernel cannot be loaded")
    launch, stream = driver.cuLaunchKernel, ctypes.c_void_p()
    arguments = (function, 1, 1, 1, 32, 1, 1, 0, stream, None, None)

    def many():
        for _ in range(launches):
            launch(*arguments)
    return many


def loops():
    torch.manual_seed(0)
    model = torch.nn.Sequential(*[torch.nn.Linear(128, 128) for _ in range(20)]).cuda()
    x = torch.randn(32, 128, device="cuda")
    with torch.no_grad():
        rates = {"linear": measure(lambda: model(x))}
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            model(x)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            model(x)
        rates["graph"] = measure(graph.replay)
    many = launcher(10)
    rates["launch"] = 10 * measure(many)
    return rates


if sys.argv[1:]:
    from torch.profiler import ProfilerActivity, profile
    activities = [ProfilerActivity.CUDA] + ([ProfilerActivity.CPU] if sys.argv[1] == "all" else [])
    with profile(activities=activities):
        result = loops()
else:
    result = loops()
print(json.dumps(result))
