"""The launcher and the scripts beside the justfile, run by the system's own sh against stand-ins for python3, uv and apt-get."""
