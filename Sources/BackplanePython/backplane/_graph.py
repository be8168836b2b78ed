"""Graphs: built operator by operator, or read from files."""
import ctypes
import json
import os
from ctypes import c_int32, c_int64, c_size_t, c_uint32

import numpy as np

from ._library import MORE, NO_TENSOR, Handle, LoadOptions, call, integers, text

FORMATS = {"f32": np.float32, "f16": np.float16, "f64": np.float64, "i8": np.int8, "u8": np.uint8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "bool": np.bool_}
NAMES = {np.dtype(kind): name for name, kind in FORMATS.items()}
NUMERICS = {"standard": 0, "strict": 1, "fast": 2}


def choice(table, value, what):
    if value not in table:
        raise ValueError(f"{what} is {value!r}; possible are {', '.join(map(repr, table))}")
    return table[value]


def format_of(array):
    name = NAMES.get(array.dtype)
    if name is None:
        raise TypeError(f"arrays of {array.dtype} have no format; possible are {', '.join(str(kind) for kind in NAMES)}")
    return name


class Model(Handle):
    """A graph with its weights: a GGUF language model or a graph file. Weights are mapped, not read."""

    def __init__(self, path, context_length=0, maximum_tokens=0, cache_format=None, numerics="standard"):
        options = LoadOptions(context_length=context_length, maximum_tokens=maximum_tokens, cache_format=cache_format.encode() if cache_format else None,
                              numerics=choice(NUMERICS, numerics, "numerics"))
        self._make("bp_model_load", os.fsencode(path), ctypes.byref(options))

    def describe(self):
        """Symbols, tensors, nodes, inputs and outputs, as in the header of a graph file."""
        return json.loads(text("bp_model_describe", self._handle))

    def save(self, path):
        """Writes graph and weights to a graph file."""
        call("bp_model_save", self._handle, os.fsencode(path))

    def tokenize(self, string):
        """The tokens of a text as the language model wants them."""
        needed, size = c_size_t(), len(string.encode()) + 8
        while True:
            tokens = (c_int32 * size)()
            if call("bp_model_tokenize", self._handle, string.encode(), tokens, size, ctypes.byref(needed)) != MORE:
                return list(tokens[:needed.value])
            size = needed.value


class Tensor(int):
    """A tensor's number in its graph."""


class Symbol(int):
    """A symbol's number in its graph: an extent that each run says anew."""


class Graph(Model):
    """A graph to be built. Operators are methods, by the names of Specs/operators: `graph.softmax(x, axis=-1)`.

    Positional arguments of an operator are tensors in the spec's order, None for an absent one; keywords are attributes, and
    `name` (of the result), `outputs` (how many are wanted, 1 if not said) and `keep_states`.
    """

    def __init__(self, numerics="standard"):
        self._make("bp_model_create")
        call("bp_model_numerics", self._handle, choice(NUMERICS, numerics, "numerics"))

    def symbol(self, name, lower, upper):
        number = c_uint32()
        call("bp_model_symbol", self._handle, name.encode(), lower, upper, ctypes.byref(number))
        return Symbol(number.value)

    @staticmethod
    def _extents(shape):
        return integers(c_int64, (-int(e) if isinstance(e, Symbol) else int(e) for e in shape))

    def _tensor(self, function, name, format, shape, *more):
        number = c_uint32()
        shape = list(shape)
        call(function, self._handle, name.encode(), format.encode(), len(shape), self._extents(shape), *more, ctypes.byref(number))
        return Tensor(number.value)

    def input(self, name, format, shape):
        """A tensor given at every run. `shape` has numbers and symbols."""
        return self._tensor("bp_model_input", name, format, shape)

    def state(self, name, format, shape):
        """A tensor that lives from run to run, zero at first."""
        return self._tensor("bp_model_state", name, format, shape)

    def constant(self, name, array, format=None, shape=None):
        """A weight. For block formats: the blocks' bytes as an array of uint8, with `format` and `shape`."""
        array = np.ascontiguousarray(array)
        format = format or format_of(array)
        return self._tensor("bp_model_constant", name, format, array.shape if shape is None else shape, array.ctypes.data, array.nbytes, None, None)

    def output(self, tensor, name=None):
        call("bp_model_output", self._handle, tensor, name.encode() if name else None)
        return tensor

    def apply(self, op, *inputs, name=None, outputs=1, keep_states=False, **attributes):
        """Appends an operator; gives its result, or a tuple when `outputs` is more than 1."""
        attributes = {key: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value for key, value in attributes.items()}
        numbers = (c_uint32 * max(outputs, 1))()
        call("bp_model_apply", self._handle, op.encode(), integers(c_uint32, (NO_TENSOR if i is None else int(i) for i in inputs)), len(inputs),
             json.dumps(attributes).encode() if attributes else None, name.encode() if name else None, 1 if keep_states else 0, numbers, outputs)
        made = tuple(None if number == NO_TENSOR else Tensor(number) for number in numbers[:outputs])
        return made[0] if outputs == 1 else made

    def __getattr__(self, op):
        if op.startswith("_"):
            raise AttributeError(op)
        return lambda *inputs, **attributes: self.apply(op, *inputs, **attributes)
