"""llama.cpp's operators (ggml) for `backplane bench --peers`: the libraries of the pip package llama-cpp-python, called directly.

Weights that ggml knows to repack for this processor are repacked, as llama.cpp does when it loads a model.
"""
import ctypes
import glob
import os
from ctypes import c_bool, c_float, c_int, c_int64, c_size_t, c_void_p

from adapter import Missing, give_up, numbers, serve

try:
    import llama_cpp
except ImportError as error:
    give_up(f"llama-cpp-python is not installed: {error}")

TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q2_K": 10, "q3_K": 11, "q4_K": 12, "q5_K": 13, "q6_K": 14,
         "iq4_nl": 20, "bf16": 30, "tq2_0": 35, "mxfp4": 39}
EXTRA = 320  # of struct ggml_tensor: where a buffer type keeps what it knows of a tensor


class Parameters(ctypes.Structure):
    _fields_ = [("bytes", c_size_t), ("memory", c_void_p), ("no_alloc", c_bool)]


def library(name: str) -> ctypes.CDLL:
    folder = os.path.join(os.path.dirname(llama_cpp.__file__), "lib")
    return ctypes.CDLL(glob.glob(os.path.join(folder, f"lib{name}.so"))[0], mode=ctypes.RTLD_GLOBAL)


base, cpu = library("ggml-base"), library("ggml-cpu")


def function(owner: ctypes.CDLL, name: str, result, *arguments):
    found = getattr(owner, name)
    found.restype, found.argtypes = result, list(arguments)
    return found


P = c_void_p
init = function(base, "ggml_init", P, Parameters)
new_2d = function(base, "ggml_new_tensor_2d", P, P, c_int, c_int64, c_int64)
new_3d = function(base, "ggml_new_tensor_3d", P, P, c_int, c_int64, c_int64, c_int64)
allocate = function(base, "ggml_backend_alloc_ctx_tensors_from_buft", P, P, P)
set_tensor = function(base, "ggml_backend_tensor_set", None, P, P, c_size_t, c_size_t)
new_graph = function(base, "ggml_new_graph", P, P)
expand = function(base, "ggml_build_forward_expand", None, P, P)
compute = function(base, "ggml_backend_graph_compute", c_int, P, P)
plain_buffers = function(base, "ggml_backend_cpu_buffer_type", P)
make_backend = function(cpu, "ggml_backend_cpu_init", P)
set_threads = function(cpu, "ggml_backend_cpu_set_n_threads", None, P, c_int)
mul_mat = function(base, "ggml_mul_mat", P, P, P, P)
flash = function(base, "ggml_flash_attn_ext", P, P, P, P, P, P, c_float, c_float, c_float)
unary = {name: function(base, f"ggml_{name}", P, P, P) for name in ("soft_max", "argmax")}
rms_norm = function(base, "ggml_rms_norm", P, P, P, c_float)
binary = {name: function(base, f"ggml_{name}", P, P, P, P) for name in ("add", "mul", "geglu_split")}
backend = make_backend()


def context() -> P:
    return init(Parameters(1 << 20, None, True))


def fill(tensor: P, data) -> None:
    set_tensor(tensor, data.ctypes.data, 0, data.nbytes)


def weights(name: str, depth: int, columns: int) -> P:
    """A matrix in repacked memory where ggml has a layout for it."""
    data = numbers(name, depth * columns)
    for symbol in ("_Z35ggml_backend_cpu_repack_buffer_typev", None):
        where = context()
        tensor = new_2d(where, TYPES[name], depth, columns)
        kind = function(cpu, symbol, P)() if symbol and hasattr(cpu, symbol) else plain_buffers()
        if not allocate(where, kind):
            continue
        if kind != plain_buffers() and not ctypes.cast(tensor + EXTRA, ctypes.POINTER(c_void_p)).contents.value:
            continue
        fill(tensor, data)
        return tensor
    raise Missing("no memory")


def runner(where: P, result: P, threads: int):
    graph = new_graph(where)
    expand(graph, result)
    set_threads(backend, threads)
    return graph


def make(op: str, format_name: str, sizes: dict, threads: int):
    where = context()
    inputs = []

    def tensor(*extents: int, of: str = "f32") -> P:
        made = (new_2d if len(extents) == 2 else new_3d)(where, TYPES[of], *extents)
        count = 1
        for extent in extents:
            count *= extent
        inputs.append((made, numbers(of, count)))
        return made

    if op == "matmul":
        matrix = weights(format_name, sizes["depth"], sizes["columns"])
        result = mul_mat(where, matrix, tensor(sizes["depth"], sizes["rows"]))
    elif op == "attention":
        q = tensor(sizes["head"], sizes["tokens"], sizes["heads"])
        k, v = (tensor(sizes["head"], sizes["keys"], sizes["key_heads"], of=format_name) for _ in range(2))
        mask = None
        if sizes["tokens"] > 1:  # causal: a mask of f16 that hides what is later
            import numpy
            mask = new_2d(where, TYPES["f16"], sizes["keys"], sizes["tokens"])
            later = numpy.triu(numpy.ones((sizes["tokens"], sizes["keys"]), dtype=bool), 1 + sizes["keys"] - sizes["tokens"])
            inputs.append((mask, numpy.where(later, -numpy.inf, 0).astype(numpy.float16).view(numpy.uint8).reshape(-1)))
        result = flash(where, q, k, v, mask, sizes["head"] ** -0.5, 0.0, 0.0)
    elif op in ("softmax", "rms_norm", "argmax", "add", "gated_activation"):
        x = tensor(sizes["columns"], sizes["rows"])
        if op == "softmax":
            result = unary["soft_max"](where, x)
        elif op == "argmax":
            result = unary["argmax"](where, x)
        elif op == "rms_norm":
            result = binary["mul"](where, rms_norm(where, x, 1e-6), tensor(sizes["columns"], 1))
        else:
            result = binary["add" if op == "add" else "geglu_split"](where, x, tensor(sizes["columns"], sizes["rows"]))
    else:
        raise Missing(f"no {op}")
    graph = runner(where, result, threads)
    if not allocate(where, plain_buffers()):
        raise Missing("no memory")
    for made, data in inputs:
        fill(made, data)

    def run() -> None:
        if compute(backend, graph) != 0:
            raise Missing("ggml failed")

    return run


serve("llama.cpp", make)
