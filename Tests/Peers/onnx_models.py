"""Models that PyPI packages carry, here and by onnxruntime: onnx_models.py TOOL FOLDER [DEVICE]

TOOL is the built `backplane`; FOLDER is what .ci/fetch-onnx-models fills. Needs numpy, onnxruntime and this package's Python module. Each model is imported
with `backplane import-onnx`, run on DEVICE (cpu) and by onnxruntime on the same inputs, and each output compared. Exit code 1 when a cosine is below
0.9999 or an import fails; what cannot be imported yet is expected to say so, and is printed with its reason.
"""
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

import backplane

rng = np.random.default_rng(7)


def text_bytes():
    with open(__file__, "rb") as file:
        text = file.read(2048)
    return np.array([list(text.ljust(2048, b" "))], np.int32)


def sound():
    t = np.arange(576, dtype=np.float32) / 16000
    return (0.3 * np.sin(2 * np.pi * 220 * t) * (1 + np.sin(2 * np.pi * 5 * t)) + 0.01 * rng.standard_normal(576)).astype(np.float32)[None]


# Name, file, values of extents, inputs.
MODELS = [
    ("magika (file types)", "magika/models/*/model.onnx", {"bytes[0]": 1}, lambda: {"bytes": text_bytes()}),
    ("silero-vad (speech)", "silero_vad/data/silero_vad_openvino_16k.onnx", {}, lambda: {"input": sound(), "state": rng.standard_normal((2, 1, 128)).astype(np.float32) * 0.1}),
    ("PP-OCR (text direction)", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x[0]": 1, "x[2]": 48, "x[3]": 192},
     lambda: {"x": rng.standard_normal((1, 3, 48, 192)).astype(np.float32)}),
    ("PP-OCR (text lines)", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", {"x[0]": 1, "x[2]": 48, "x[3]": 160},
     lambda: {"x": rng.standard_normal((1, 3, 48, 160)).astype(np.float32)}),
]
# Not to be imported yet, with a piece of the reason.
REFUSED = [
    ("PP-OCR (text regions)", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", {"x[0]": 1, "x[2]": 64, "x[3]": 64}, "no operator for "),
    ("silero-vad (both rates)", "silero_vad/data/silero_vad.onnx", {"input[0]": 1, "input[1]": 576, "state[1]": 1}, "no operator for If"),
]


def imported(tool, path, extents, folder):
    words = [word for name, value in extents.items() for word in ("--extent", f"{name}={value}")]
    return subprocess.run([tool, "import-onnx", path, f"{folder}/model.graph", *words], capture_output=True, text=True)


def main():
    tool, folder, device = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "cpu"
    runtime, failed = backplane.Runtime(), 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, pattern, extents, make in MODELS:
            path = next(iter(glob.glob(os.path.join(folder, pattern))), None)
            if path is None:
                print(f"{name}: skipped, {pattern} is not in {folder}")
                continue
            made = imported(tool, path, extents, scratch)
            if made.returncode:
                print(f"{name}: {made.stderr.strip()}")
                failed += 1
                continue
            inputs = make()
            try:
                ours = runtime.compile(backplane.Model(f"{scratch}/model.graph"), device).session().run(inputs)
            except backplane.Error as error:
                print(f"{name}: {error}")
                failed += 1
                continue
            reference = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            wanted = dict(zip((output.name for output in reference.get_outputs()), reference.run(None, inputs)))
            for output, value in wanted.items():
                a, b = np.ravel(ours[output]).astype(np.float64), np.ravel(value).astype(np.float64)
                cosine = float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))
                failed += cosine < 0.9999
                print(f"{name}: {made.stdout.split(':')[0]}; {output}{list(np.shape(value))} cosine {cosine:.8f}, largest difference {np.abs(a - b).max():.2e} of {np.abs(b).max():.2e}")
        for name, pattern, extents, reason in REFUSED:
            for path in glob.glob(os.path.join(folder, pattern)):
                made = imported(tool, path, extents, scratch)
                failed += made.returncode == 0 or reason not in made.stderr
                print(f"{name}: not imported: {made.stderr.strip().split('.onnx: ')[-1]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
