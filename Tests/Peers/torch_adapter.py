"""PyTorch's operators on the CPU for `backplane bench --peers`; half-precision weights as bf16 and f16, attention in bf16."""
from adapter import Missing, floats, give_up, serve

try:
    import torch
except ImportError as error:
    give_up(f"torch is not installed: {error}")

KINDS = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def make(op: str, format_name: str, sizes: dict, threads: int):
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    functional = torch.nn.functional
    rows, columns = sizes.get("rows", 0), sizes.get("columns", 0)
    if op == "matmul":
        if format_name not in KINDS:
            raise Missing(f"no {format_name}")
        a, b = (torch.from_numpy(floats(n, sizes["depth"])).to(KINDS[format_name]) for n in (rows, columns))
        return lambda: functional.linear(a, b)
    if op == "attention":
        if format_name not in KINDS:
            raise Missing(f"no cache in {format_name}")
        q = torch.from_numpy(floats(1, sizes["heads"], sizes["tokens"], sizes["head"])).bfloat16()
        k, v = (torch.from_numpy(floats(1, sizes["key_heads"], sizes["keys"], sizes["head"])).bfloat16() for _ in range(2))
        return lambda: functional.scaled_dot_product_attention(q, k, v, is_causal=sizes["tokens"] > 1, enable_gqa=True)
    x = torch.from_numpy(floats(rows, columns))
    y = torch.from_numpy(floats(rows, columns))
    if op == "softmax":
        return lambda: torch.softmax(x, -1)
    if op == "rms_norm":
        return lambda: functional.rms_norm(x, (columns,), y[0])
    if op == "add":
        return lambda: x + y
    if op == "argmax":
        return lambda: torch.argmax(x, -1)
    if op == "gated_activation":
        return lambda: functional.gelu(x, approximate="tanh") * y
    raise Missing(f"no {op}")


serve("torch", make)
