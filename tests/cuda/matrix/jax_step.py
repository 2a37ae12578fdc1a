#!/usr/bin/env python3
"""JAX: XLA, which uses the driver API, and graphs."""
import jax
import jax.numpy as jnp


@jax.jit
def step(x):
    return jnp.tanh(x @ x.T).sum()


x = jnp.ones((128, 128)) * 0.01
for i in range(10):
    value = step(x * i)
print(jax.devices()[0].platform, f"{float(value):.3f}")
