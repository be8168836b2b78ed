"""Devices, compiled graphs, sessions, text."""
import ctypes
import json
import os
from ctypes import c_char_p, c_int32, c_int64, c_size_t

import numpy as np

from ._graph import FORMATS, Model, choice
from ._library import CompileOptions, GenerateOptions, Handle, MORE, MemoryStats, RuntimeOptions, call, failed, failures, integers, library, pointer, text

FALLBACK = {"warn": 0, "allow": 1, "forbid": 2}
ENDINGS = {1: "count", 2: "end of text", 3: "context", 4: "stopped"}


def memory():
    """Bytes of this process's memory as the system counts it, and handles that are not freed."""
    stats = MemoryStats()
    call("bp_memory", ctypes.byref(stats))
    return {name: getattr(stats, name) for name, _ in MemoryStats._fields_ if name != "struct_size"}


def compile_options(devices, fallback, fusion):
    if devices is not None and not isinstance(devices, str):
        devices = ",".join(devices)
    return CompileOptions(devices=devices.encode() if devices else None, fallback=choice(FALLBACK, fallback, "fallback"), flags=0 if fusion else 1)


class Runtime(Handle):
    """Plugins, devices and threads. A program makes one.

    threads: 0 takes the processors that this process may use. plugins: paths beside those that are found. settings: such as {"cpu.isa": "avx2"}.
    """

    def __init__(self, threads=0, plugins=(), settings=None, only_plugins=False, quiet=False):
        paths = integers(c_char_p, (os.fsencode(os.path.abspath(path)) for path in plugins))
        pairs = integers(c_char_p, (f"{key}={value}".encode() for key, value in (settings or {}).items()))
        options = RuntimeOptions(threads=threads, plugin_paths=paths, n_plugin_paths=len(paths or ()), settings=pairs, n_settings=len(pairs or ()),
                                 flags=(1 if only_plugins else 0) | (4 if quiet else 0))
        self._make("bp_runtime_create", ctypes.byref(options))

    def report(self):
        """Every plugin that was found, with its devices or why it cannot be used."""
        return json.loads(text("bp_runtime_devices", self._handle))

    def devices(self):
        """The devices that can be used: dictionaries with id, name, kind, memory …"""
        return [device for plugin in self.report()["plugins"] if plugin["state"] == "ready" for device in plugin["devices"]]

    def compile(self, model, devices=None, fallback="warn", fusion=True):
        """Places a model or graph on devices, the preferred one first, and compiles it."""
        return Compiled(self, model, compile_options(devices, fallback, fusion))

    def generator(self, model, devices=None, fallback="warn", fusion=True, **options):
        """A language model with one conversation. `model`: a Model or a path, with Model's options."""
        if not isinstance(model, Model):
            model = Model(model, **options)
        return Generator(self, model, compile_options(devices, fallback, fusion))


class Compiled(Handle):
    """A graph placed on devices and compiled."""

    def __init__(self, runtime, model, options):
        self._make("bp_model_compile", runtime._handle, model._handle, ctypes.byref(options))
        self._description = model.describe()

    @property
    def placement(self):
        """Node by node: device, why, estimate; a text."""
        return text("bp_compiled_report", self._handle, 0)

    def report(self):
        """Placement and memory as dictionaries."""
        return {"placement": json.loads(text("bp_compiled_report", self._handle, 1)), "memory": json.loads(text("bp_compiled_report", self._handle, 2))}

    def session(self):
        return Session(self)


class Session(Handle):
    """A compiled graph with its memory; states live from run to run."""

    def __init__(self, compiled):
        self._make("bp_session_create", compiled._handle)
        header = compiled._description
        self._symbols = {symbol["name"]: symbol["number"] for symbol in header["symbols"]}
        self._count = max(self._symbols.values(), default=0)
        self._numbers = {tensor["name"]: number for number, tensor in reversed(list(enumerate(header["tensors"])))}
        self._tensors = header["tensors"]
        self._inputs, self._outputs = header["inputs"], header["outputs"]
        # None where an extent is a symbol.
        self._fixed = [None if any(extent < 0 for extent in tensor["shape"]) else tuple(tensor["shape"]) for tensor in self._tensors]
        self._dtypes = {}

    def _dtype(self, number):
        known = self._dtypes.get(number)
        if known is not None:
            return known
        tensor = self._tensors[number]
        kind = FORMATS.get(tensor["format"])
        if kind is None:
            raise TypeError(f"{tensor['name']} is of format {tensor['format']}, which numpy has not")
        return self._dtypes.setdefault(number, np.dtype(kind))

    def _number(self, name):
        number = self._numbers.get(name)
        if number is not None:
            return number
        if not isinstance(name, int) or not 0 <= name < len(self._tensors):
            raise KeyError(f"no tensor is called {name!r}; inputs are {[self._tensors[i]['name'] for i in self._inputs]}")
        return int(name)

    def _infer(self, arrays, symbols):
        """Symbols that nobody gave, from the inputs' shapes; a shape that does not fit is an error here, with both shapes."""
        for number, array in arrays.items():
            if array.shape != self._fixed[number]:
                break
        else:
            if not self._count and not symbols:
                return ()
        values = [None] * (self._count + 1)
        for name, value in symbols.items():
            if name not in self._symbols:
                raise KeyError(f"no symbol is called {name!r}; there are {list(self._symbols)}")
            values[self._symbols[name]] = int(value)
        for number, array in arrays.items():
            shape = self._tensors[number]["shape"]
            fits = len(shape) == array.ndim
            for extent, given in zip(shape, array.shape):
                if extent < 0 and values[-extent] is None:
                    values[-extent] = given
                fits = fits and given == (values[-extent] if extent < 0 else extent)
            if not fits:
                names = {number: name for name, number in self._symbols.items()}
                wanted = [extent if extent >= 0 else names[-extent] for extent in shape]
                raise ValueError(f"{self._tensors[number]['name']} has the shape {wanted}, an array of {list(array.shape)} was given")
        missing = [name for name, number in self._symbols.items() if values[number] is None]
        if missing:
            raise ValueError(f"symbols without a value: {', '.join(missing)}; give them as keywords")
        return [value or 0 for value in values[1:]]

    def run(self, inputs=None, **symbols):
        """Runs the graph once.

        inputs: a dictionary from names or tensors to arrays; what is left out keeps its values. Symbols follow from the arrays' shapes,
        or are keywords. Gives a dictionary from output names to new arrays.
        """
        arrays = {}
        if inputs:
            for name, value in inputs.items():
                number = self._number(name)
                arrays[number] = np.ascontiguousarray(value, self._dtype(number))
        values = self._infer(arrays, symbols)
        failure = failures.address  # without `call`, which takes as long as they do
        for number, array in arrays.items():
            if library.bp_session_write(self._handle, number, pointer(array), array.nbytes, failure) < 0:
                failed()
        if library.bp_session_run(self._handle, integers(c_int64, values) if values else None, len(values), None, failure) < 0:
            failed()
        results = {}
        for number in self._outputs:
            tensor = self._tensors[number]
            results[tensor["name"]] = self._read(number, self._fixed[number] or [extent if extent >= 0 else values[-extent - 1] for extent in tensor["shape"]])
        return results

    def _read(self, number, shape):
        array = np.empty(shape, self._dtype(number))
        if library.bp_session_read(self._handle, number, pointer(array), array.nbytes, failures.address) < 0:
            failed()
        return array

    def state(self, name):
        """A state's values, copied."""
        number = self._number(name)
        return self._read(number, self._tensors[number]["shape"])

    def reset(self):
        """Fills every state with zeros."""
        call("bp_session_reset", self._handle)


class Generator(Handle):
    """A language model with one conversation."""

    def __init__(self, runtime, model, options):
        self._make("bp_generator_create", runtime._handle, model._handle, ctypes.byref(options))
        self.ending = None

    def generate(self, prompt, max_tokens=128, temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, seed=0, go_on=False, parse_special=False):
        """Iterates over the text that follows the prompt, as it is made; leaving the loop stops. `ending` then says why it ended.

        temperature 0 takes the likeliest token each time. go_on keeps what was said before instead of forgetting it.
        """
        options = GenerateOptions(flags=(1 if go_on else 0) | (2 if parse_special else 0), maximum_tokens=max_tokens, temperature=temperature, top_k=top_k,
                                  top_p=top_p, min_p=min_p, seed=seed)
        call("bp_generator_begin", self._handle, prompt.encode(), ctypes.byref(options))
        return self._pieces()

    def _pieces(self):
        self.ending = None
        size, needed, ending = 256, c_size_t(), c_int32()
        buffer = ctypes.create_string_buffer(size)
        while True:
            if call("bp_generator_next", self._handle, buffer, size, ctypes.byref(needed), None, ctypes.byref(ending)) == MORE:
                size = needed.value
                buffer = ctypes.create_string_buffer(size)
                continue
            if ending.value:
                self.ending = ENDINGS.get(ending.value, "unknown")
                return
            if buffer.value:
                yield buffer.value.decode()

    def reset(self):
        """Forgets the conversation."""
        call("bp_generator_reset", self._handle)

    @property
    def placement(self):
        compiled = Handle()
        compiled._make("bp_generator_compiled", self._handle)
        return text("bp_compiled_report", compiled._handle, 0)
