"""Backplane from Python: devices, graphs with numpy arrays, language models.

    import backplane
    runtime = backplane.Runtime()
    for piece in runtime.generator("model.gguf").generate("Once upon a time"):
        print(piece, end="")

A thin layer over the C library (libBackplaneC.so, whose header backplane.h has the rules). Objects free what they hold when Python
drops them. Any thread; a session or a generator does one thing at a time. What goes wrong is an `Error` with the library's own words.
"""
from ._graph import Graph, Model
from ._library import Error, library_path, version
from ._operators import register_operator
from ._runtime import Compiled, Generator, Runtime, Session, memory

__all__ = ["Compiled", "Error", "Generator", "Graph", "Model", "Runtime", "Session", "library_path", "memory", "register_operator", "version"]
