"""The deployable unit: manifest, graph, arrays and goldens of any kind of model; reading, writing, parity and the runtime."""
