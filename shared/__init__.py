"""The retraining core: one pipeline, written once, that knows nothing of who orchestrates it.

Start with `shared.steps` (the six steps every adapter calls) and `shared.pipeline` (the same steps as one process).
"""
