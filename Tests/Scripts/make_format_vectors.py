#!/usr/bin/env python3
"""Writes blocks of every block format and what the `gguf` package makes of them; of the formats that it lacks, what NumPy does.

    pip install gguf numpy
    python3 make_format_vectors.py Tests/Fixtures/formats

<format>.bin: u32 number of blocks, the blocks, their elements as f32.
quantize_<format>.bin: u32 number of blocks, f32 elements, the blocks they are quantised to.
All little-endian. The same on every run.
"""
import sys
from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

# Byte offsets of the f16 numbers in a block.
HALVES = {
    "q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2], "q8_0": [0],
    "q2_K": [80, 82], "q3_K": [108], "q4_K": [0, 2], "q5_K": [0, 2], "q6_K": [208],
    "iq4_nl": [0], "mxfp4": [], "tq2_0": [64],
}
# Zero, minus zero, the smallest and the largest subnormal, the smallest normal, 1, the largest, and a negative number.
SCALES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0x7BFF, 0xAE66]


def blocks_of(name, block_bytes, random):
    count = 12 if block_bytes < 50 else 6
    blocks = random.integers(0, 256, (count, block_bytes), dtype=np.uint8)
    blocks[0] = 0xFF
    blocks[1] = 0x00
    for offset in HALVES[name]:
        halves = random.integers(0, 0x7C00, count).astype(np.uint16) | random.integers(0, 2, count).astype(np.uint16) << 15
        extremes = np.roll(SCALES, -offset // 2)[: count // 2]
        halves[: len(extremes)] = extremes
        halves[0] = 0x3C00
        blocks[:, offset : offset + 2] = halves.astype("<u2").view(np.uint8).reshape(-1, 2)
    if name == "mxfp4":
        blocks[:8, 0] = [255, 0, 1, 2, 127, 128, 254, 120]
    return blocks


# Read from bitsandbytes' functional.py, there for `nf4`.
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0], np.float32)
# Zero, minus zero, subnormal, smallest normal, 1, the largest, and a negative number.
SINGLES = np.array([0x00000000, 0x80000000, 0x00000123, 0x807FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, 0xBDCCCCCD], "<u4")


def f32_scaled(name, random):
    """Blocks {f32 scale, u16 zero point where there is one, 16 bytes of nibbles} and their elements."""
    count = 16
    scales = random.standard_normal(count).astype("<f4")
    scales[: len(SINGLES)] = SINGLES.view("<f4")
    zeros = random.integers(0, 17, count).astype("<u2")
    zeros[:4] = [0, 8, 16, 65535]
    nibbles = random.integers(0, 256, (count, 16), dtype=np.uint8)
    parts = [scales.view(np.uint8).reshape(count, 4), nibbles] if name == "nf4" else [scales.view(np.uint8).reshape(count, 4), zeros.view(np.uint8).reshape(count, 2), nibbles]
    codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=1)
    unscaled = NF4[codes] if name == "nf4" else (codes.astype(np.int32) - zeros.astype(np.int32)[:, None]).astype("<f4")
    with np.errstate(over="ignore"):
        return np.concatenate(parts, axis=1), unscaled * scales[:, None]


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20240607)
    for name in HALVES:
        kind = GGMLQuantizationType[name.upper()]
        _, block_bytes = GGML_QUANT_SIZES[kind]
        blocks = blocks_of(name, block_bytes, random)
        with np.errstate(over="ignore"):
            values = dequantize(blocks.reshape(len(blocks), -1), kind).astype("<f4")
        (out / f"{name}.bin").write_bytes(np.uint32(len(blocks)).tobytes() + blocks.tobytes() + values.tobytes())
    for name in ["q4_z", "nf4"]:
        blocks, values = f32_scaled(name, np.random.default_rng(len(name)))
        (out / f"{name}.bin").write_bytes(np.uint32(len(blocks)).tobytes() + blocks.tobytes() + values.astype("<f4").tobytes())
    for name in ["q8_0", "q4_0"]:
        values = random.standard_normal((16, 32)).astype("<f4")
        values[0] = 0
        values[1] = np.arange(-16, 16) / 2  # ties
        values[2] *= np.float32(1e-7)       # subnormal scales
        values[3] *= np.float32(1e6)
        values[4, 5] = -200
        values[5] = values[5, 0]
        with np.errstate(over="ignore"):
            blocks = quantize(values, GGMLQuantizationType[name.upper()])
        (out / f"quantize_{name}.bin").write_bytes(np.uint32(len(values)).tobytes() + values.tobytes() + blocks.tobytes())


if __name__ == "__main__":
    main()
