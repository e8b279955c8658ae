"""The web's routes, group by group; `app.py` puts them together. HTTP only: no tensors, no sockets."""
