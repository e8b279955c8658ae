"""Makes character models from texts: the text, the network that learns it, and the order of both.

No pipeline. `network.py` is the only one that imports TensorFlow.
"""
