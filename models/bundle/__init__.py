"""The deployable unit: manifest, graph, memory bank and goldens; reading, writing, parity and the runtime."""
