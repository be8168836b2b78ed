"""Finds libBackplaneC and declares its functions."""
import ctypes
import ctypes.util
import glob
import os
import subprocess
import threading
from ctypes import POINTER, c_char, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

MORE = 2
NO_TENSOR = 0xFFFFFFFF


class Error(Exception):
    """What the library says went wrong. `code` is a BP_E_ number; `op` and `label` name an operator's rule."""

    def __init__(self, message, code=0, op="", label="", node=-1):
        super().__init__(message)
        self.code, self.op, self.label, self.node = code, op, label, node


class Struct(ctypes.Structure):
    """A struct of backplane.h: its first field is its own size."""

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


class Failure(Struct):
    _fields_ = [("struct_size", c_uint32), ("code", c_int32), ("reason", c_uint32), ("node", c_int32), ("op", c_char * 40), ("label", c_char * 24),
                ("message", c_char * 1024)]


class RuntimeOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("threads", c_uint32), ("log_level", c_int32), ("plugin_paths", POINTER(c_char_p)),
                ("settings", POINTER(c_char_p)), ("n_plugin_paths", c_uint32), ("n_settings", c_uint32), ("log", c_void_p), ("log_user", c_void_p)]


class MemoryStats(Struct):
    _fields_ = [("struct_size", c_uint32), ("live_handles", c_uint32), ("resident", c_uint64), ("peak_resident", c_uint64), ("proportional", c_uint64),
                ("proportional_file", c_uint64)]


class LoadOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("numerics", c_uint32), ("context_length", c_int64), ("maximum_tokens", c_int64), ("cache_format", c_char_p)]


class CompileOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("fallback", c_uint32), ("flags", c_uint32), ("reserved", c_uint32), ("devices", c_char_p), ("cancellation", c_void_p)]


class GenerateOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("maximum_tokens", c_int64), ("temperature", c_double), ("top_p", c_double), ("min_p", c_double),
                ("top_k", c_int64), ("seed", c_uint64), ("cancellation", c_void_p)]


HANDLE, TEXT, OUT = c_void_p, c_char_p, c_void_p
# Arguments before the last one, which is always the failure.
FUNCTIONS = {
    "bp_operator_register": [TEXT, OUT], "bp_runtime_create": [OUT, OUT], "bp_runtime_devices": [HANDLE, OUT, c_size_t, OUT], "bp_memory": [OUT],
    "bp_model_load": [TEXT, OUT, OUT], "bp_model_create": [OUT], "bp_model_save": [HANDLE, TEXT], "bp_model_describe": [HANDLE, OUT, c_size_t, OUT],
    "bp_model_symbol": [HANDLE, TEXT, c_int64, c_int64, OUT], "bp_model_input": [HANDLE, TEXT, TEXT, c_uint32, OUT, OUT],
    "bp_model_state": [HANDLE, TEXT, TEXT, c_uint32, OUT, OUT],
    "bp_model_constant": [HANDLE, TEXT, TEXT, c_uint32, OUT, OUT, c_size_t, c_void_p, c_void_p, OUT],
    "bp_model_apply": [HANDLE, TEXT, OUT, c_uint32, TEXT, TEXT, c_uint32, OUT, c_uint32], "bp_model_numerics": [HANDLE, c_uint32],
    "bp_model_output": [HANDLE, c_uint32, TEXT], "bp_model_tokenize": [HANDLE, TEXT, OUT, c_size_t, OUT],
    "bp_model_compile": [HANDLE, HANDLE, OUT, OUT], "bp_compiled_report": [HANDLE, c_uint32, OUT, c_size_t, OUT],
    "bp_session_create": [HANDLE, OUT], "bp_session_write": [HANDLE, c_uint32, OUT, c_size_t], "bp_session_read": [HANDLE, c_uint32, OUT, c_size_t],
    "bp_session_reset": [HANDLE], "bp_session_run": [HANDLE, OUT, c_uint32, OUT],
    "bp_generator_create": [HANDLE, HANDLE, OUT, OUT], "bp_generator_begin": [HANDLE, TEXT, OUT],
    "bp_generator_next": [HANDLE, OUT, c_size_t, OUT, OUT, OUT], "bp_generator_reset": [HANDLE], "bp_generator_compiled": [HANDLE, OUT],
}


def _candidates():
    name = "libBackplaneC.so"
    if "BACKPLANE_LIBRARY" in os.environ:
        yield os.environ["BACKPLANE_LIBRARY"]
        return
    folder = os.path.dirname(os.path.realpath(__file__))
    # In an installed tree: PREFIX/lib/backplane/python/backplane; in the sources: Sources/BackplanePython/backplane.
    yield os.path.join(folder, "../../..", name)
    for build in ("release", "debug"):
        yield os.path.join(folder, "../../../.build", build, name)
    try:
        found = subprocess.run(["pkg-config", "--variable=libdir", "backplane"], capture_output=True, text=True).stdout.strip()
        if found:
            yield os.path.join(found, name)
    except OSError:
        pass
    for prefix in ("/usr/local", "/usr"):
        yield from glob.glob(f"{prefix}/lib*/{name}")


def _load():
    tried = []
    for path in _candidates():
        path = os.path.realpath(path)
        if os.path.exists(path):
            return path, ctypes.CDLL(path)
        tried.append(path)
    path = ctypes.util.find_library("BackplaneC")
    if path:
        return path, ctypes.CDLL(path)
    raise ImportError(f"libBackplaneC.so was not found; install Backplane (make install), or name the file in BACKPLANE_LIBRARY. Looked for: {', '.join(tried)}")


library_path, library = _load()
library.bp_version.restype = c_char_p
library.bp_free.argtypes, library.bp_free.restype = [HANDLE], c_int32
for _name, _arguments in FUNCTIONS.items():
    _function = getattr(library, _name)
    _function.argtypes, _function.restype = [*_arguments, c_void_p], c_int32

version = library.bp_version().decode()


class Failures(threading.local):
    """One of each thread: making one takes longer than a call."""

    def __init__(self):
        self.failure = Failure()
        self.address = ctypes.addressof(self.failure)


failures = Failures()


def failed():
    """Raises what the last call of this thread said."""
    failure = failures.failure
    raise Error(failure.message.decode("utf-8", "replace"), failure.code, failure.op.decode(), failure.label.decode(), failure.node)


def call(name, *arguments):
    """Calls a function of the library; raises what goes wrong."""
    status = getattr(library, name)(*arguments, failures.address)
    if status < 0:
        failed()
    return status


def text(name, *arguments):
    """Calls a function that gives a text to (buffer, capacity, needed)."""
    needed, size = c_size_t(), 4096
    while True:
        buffer = ctypes.create_string_buffer(size)
        if call(name, *arguments, buffer, size, ctypes.byref(needed)) != MORE:
            return buffer.value.decode()
        size = needed.value


def pointer(array):
    """A contiguous numpy array's memory as an argument, which lives as long as the array."""
    try:
        return ctypes.byref(c_char.from_buffer(array))
    except (TypeError, ValueError):  # it cannot be written, or there is nothing in it
        return array.ctypes.data


def integers(kind, values):
    """A C array, or None for no values."""
    values = list(values)
    return (kind * len(values))(*values) if values else None


class Handle:
    """Owns a handle of the library."""

    _handle = None

    def _make(self, name, *arguments):
        handle = c_void_p()
        call(name, *arguments, ctypes.byref(handle))
        self._handle = handle.value

    def close(self):
        """Frees it now rather than when Python drops the object."""
        handle, self._handle = self._handle, None
        if handle:
            library.bp_free(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()
