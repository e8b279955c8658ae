"""Character models: their files, their network, and how text is drawn from it. No pipeline, no TensorFlow."""
