"""The sample that ships with the app: a simulated recording and a model trained on such recordings.

The law of this package: everything in `data/` and `models/` that ships is made here, from seeds that stand in
the code, and nothing in the app imports it. `scene` moves the animals, `render` draws them, `recording` puts
both together; `network` learns from recordings and `evaluate` scores it against the true points; `train`
and `make_video` write the shipped files.
"""
