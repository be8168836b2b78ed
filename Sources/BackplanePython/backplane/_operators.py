"""Operators of one's own."""
import ctypes
import json
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int32, c_int64, c_uint32, c_uint64, c_void_p

import numpy as np

from ._library import Struct, call


class Operand(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("rank", c_uint32), ("format", c_char_p), ("extents", POINTER(c_int64)), ("values", POINTER(c_double)),
                ("errors", POINTER(c_double)), ("count", c_uint64)]

    def shape(self):
        return tuple(self.extents[:self.rank])

    def array(self):
        """The values, writable; None for an operand that is absent."""
        if not self.format:
            return None
        return np.ctypeslib.as_array(self.values, (self.count,)).reshape(self.shape()) if self.count else np.zeros(self.shape())


class Attribute(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), ("name", c_char_p), ("i", c_int64), ("f", c_double), ("text", c_char_p), ("ints", POINTER(c_int64))]


Shapes = CFUNCTYPE(c_int32, c_void_p, POINTER(Operand), c_uint32, POINTER(Attribute), c_uint32, POINTER(c_uint32), POINTER(c_int64), c_uint32)
Reference = CFUNCTYPE(c_int32, c_void_p, POINTER(Operand), c_uint32, POINTER(Attribute), c_uint32, POINTER(Operand), c_uint32)


class Functions(Struct):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), ("shapes", Shapes), ("reference", Reference), ("user", c_void_p)]


_kept = []  # what the library may call as long as the process lives


def register_operator(definition, reference=None, shapes=None):
    """Adds an operator to those of the catalogue, for the whole process.

    definition  a dict (or its JSON) in the form of Specs/custom-operators.md
    reference   where it has no composition: a function of the operands' arrays (float64, None where absent) and, by keyword, its attributes; gives
                an array, or a tuple of them
    shapes      where an output's shape is "?": a function of the operands' shapes (in which -n stands for symbol n) and attributes; gives a shape,
                or a list of them
    """
    definition = json.loads(definition) if isinstance(definition, (str, bytes)) else definition
    types = {attribute["name"]: attribute["type"] for attribute in definition.get("attributes", [])}

    def values(attributes, count):
        made = {}
        for attribute in attributes[:count]:
            name = attribute.name.decode()
            made[name] = {"int": attribute.i, "float": attribute.f, "string": attribute.text and attribute.text.decode(),
                          "ints": attribute.ints[:attribute.i] if attribute.ints else []}[types[name]]
        return made

    def run(body):
        try:
            body()
            return 0
        except Exception:  # there is nothing above this to catch it
            import traceback
            traceback.print_exc()
            return -1

    def call_shapes(_, inputs, n_inputs, attributes, n_attributes, ranks, extents, n_outputs):
        def body():
            given = shapes(*(operand.shape() if operand.format else None for operand in inputs[:n_inputs]), **values(attributes, n_attributes))
            given = [given] if n_outputs == 1 and not isinstance(given, list) else given
            for j, shape in enumerate(given):
                ranks[j] = len(shape)
                for d, extent in enumerate(shape):
                    extents[8 * j + d] = int(extent)
        return run(body)

    def call_reference(_, inputs, n_inputs, attributes, n_attributes, outputs, n_outputs):
        def body():
            made = reference(*(operand.array() for operand in inputs[:n_inputs]), **values(attributes, n_attributes))
            for operand, array in zip(outputs[:n_outputs], made if isinstance(made, tuple) else (made,)):
                operand.array()[...] = array
        return run(body)

    functions = Functions(shapes=Shapes(call_shapes) if shapes else Shapes(), reference=Reference(call_reference) if reference else Reference())
    call("bp_operator_register", json.dumps(definition).encode(), ctypes.byref(functions))
    _kept.append(functions)
