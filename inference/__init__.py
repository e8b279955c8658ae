"""Interactive model inference: watch a model's predictions in the browser as they are computed."""

__version__ = "0.1.0"
