#!/usr/bin/env python3
"""Graphs that PyTorch captures beside a thread that launches, and replays."""
import threading

import torch

x = torch.zeros(1024, device="cuda")
other = torch.zeros(1024, device="cuda")
stop = threading.Event()


def launch():
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        while not stop.wait(0.001):
            other.mul_(0.5)


thread = threading.Thread(target=launch)
thread.start()
warm = torch.cuda.Stream()
with torch.cuda.stream(warm):
    x.add_(0)
torch.cuda.current_stream().wait_stream(warm)
for repetition in range(5):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        for _ in range(20):
            x.add_(1)
    for _ in range(10):
        graph.replay()
    print(f"after {repetition + 1} graphs: {x.sum().item():.0f}")
stop.set()
thread.join()
