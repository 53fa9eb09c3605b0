"""Exported graphs in onnxruntime, whatever they compute."""
