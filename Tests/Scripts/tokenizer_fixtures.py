#!/usr/bin/env python3
"""Writes the tokenizer fixtures: what llama.cpp makes of texts that tokenizers get wrong.

  tokenizer_fixtures.py --model gemma-3.gguf --out Tests/Fixtures/tokenizer

gemma3.json    texts and tokens of a real SentencePiece vocabulary (needs --model)
bytepairs.json a small byte-level BPE vocabulary, trained here, with texts and tokens for each pre-tokenizer

Needs the packages llama-cpp-python and gguf. The result depends only on this file, the model and llama.cpp.
"""
import argparse
import collections
import json
import os
import tempfile

TEXTS = [
    "", " ", "Hello, world!", "  two leading, two trailing  ", "The quick brown fox jumps over the lazy dog.",
    "Ça va très bien, merci ! Zwölf Boxkämpfer über den Sylter Deich",
    "Съешь же ещё этих мягких французских булок", "Η γρήγορη αλεπού", "שלום עולם مرحبا بالعالم", "नमस्ते दुनिया १२३४",
    "สวัสดีชาวโลก", "こんにちは世界、お元気ですか？", "我能吞下玻璃而不伤身体。", "안녕하세요 세계", "ᚠᛇᚻ 𐍈𐌰𐌽 İstanbul ſK",
    "😀 👨‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️‍🔥", "e\u0301 a\u0308\u0323 \u200b\ufeff \u00a0nbsp\u00a0 \u3000全角",
    "①② Ⅷ ½ １２３４５ ٣٤٥ ²³ №5", "def f(x):\n    return x**2 + 1\n", "for (int i = 0; i < n; ++i) {\n\t\tsum += a[i];\n}\r\n",
    "SELECT * FROM t WHERE a >= 10 AND b != 'x';", "<html><body class=\"a b\">Hi &amp; bye</body></html>",
    "{\"key\": [1, 2.5e-3, null, true]}", "a<=b>=c==d!=e&&f||g x=>y??z?.w", "http://www.example.com/a/b?c=d&e=f#g",
    "foo_bar FooBar fooBar FOO_BAR C:\\Users\\x", "\\frac{a}{b} \\sum_{i=1}^{n} $HOME ${x} `cmd` ~",
    "a" + " " * 33 + "b", " " * 17, "\n" * 33, "\t" * 5, " \n \n ", "a\n\n\nb \n c\r\n\r\nd\r", "a\tb\t\tc\x0bd\x0ce\u0085f\u2028g",
    "".join(map(chr, range(1, 32))), "\x00\x7f\x80\u009f", "\x1b[31mred\x1b[0m", "\ufffd\ue000\U0010ffff", "a" * 300,
    "supercalifragilisticexpialidocious" * 3, "日本" * 60, "0123456789" * 7, "=" * 80 + "-" * 33, "😀" * 20,
    "<bos>Hello<eos>", "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<|im_start|>system\nYou<|im_end|>",
    "<|begin_of_text|>x<|eot_id|>", "<unused0><<bos>> <end_of_turn", "<0x41><0x0A>", "▁ ▁▁a▁", "<table></table><tr><td><h1>x</h1>",
    "I'm you're we've he'll she'd it's CAN'T WE'LL 's ''s''", "don’t “quoted” ‘single’ rock'n'roll 'x '",
    "3.14 12 123 1234 12345678 a1b2 +1 (555) 123-4567 $1,234.56 100%", "What is the meaning of life, the universe, and everything?",
    "Dr. Smith's 3rd-party (re-)implementation… wasn't—isn't—great!!!", "Hello   World \t how   are you",
]


def tokens_of(model, texts):
    return [{"text": t, "tokens": model.tokenize(t.encode(), add_bos=True, special=False),
             "parsed": model.tokenize(t.encode(), add_bos=True, special=True)} for t in texts]


def load(path):
    from llama_cpp import Llama
    return Llama(path, vocab_only=True, verbose=False)


def byte_characters():
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table, extra = {}, 0
    for b in range(256):
        table[b] = chr(b) if b in kept else chr(256 + extra)
        extra += b not in kept
    return table


def train(texts, count):
    """Byte-level BPE merges by frequency, words divided at spaces."""
    table = byte_characters()
    words = collections.Counter()
    for text in texts:
        for i, word in enumerate(text.replace("\n", " \n").split(" ")):
            symbols = ((" " if i else "") + word).encode()
            words[tuple(table[b] for b in symbols)] += 1
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        merged = collections.Counter()
        for word, n in words.items():
            out, i = [], 0
            while i < len(word):
                if i + 1 < len(word) and (word[i], word[i + 1]) == best:
                    out.append(word[i] + word[i + 1])
                    i += 2
                else:
                    out.append(word[i])
                    i += 1
            merged[tuple(out)] += n
        words = merged
    return merges


def write_bpe(path, pre, tokens, types, merges):
    from gguf import GGUFWriter
    w = GGUFWriter(path, "llama")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(pre)
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges(merges)
    w.add_bos_token_id(len(tokens) - 2)
    w.add_eos_token_id(len(tokens) - 1)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="a Gemma 3 GGUF file")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()

    def save(name, value):
        with open(os.path.join(options.out, name), "w") as f:
            json.dump(value, f, ensure_ascii=True, separators=(",", ":"))
            f.write("\n")

    if options.model:
        save("gemma3.json", tokens_of(load(options.model), TEXTS))
    merges = train(TEXTS, 500)
    tokens = list(byte_characters().values()) + ["".join(m) for m in merges] + ["<|begin_of_text|>", "<|im_end|>"]
    tokens = list(dict.fromkeys(tokens))
    types = [1] * (len(tokens) - 2) + [3, 3]
    merges = [" ".join(m) for m in merges]
    cases = {}
    for pre in ["default", "gpt-2", "llama-bpe", "qwen2", "smollm"]:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bpe.gguf")
            write_bpe(path, pre, tokens, types, merges)
            # The texts are in gemma3.json's order: not repeated for each pre-tokenizer.
            cases[pre] = [[c["tokens"], c["parsed"]] for c in tokens_of(load(path), TEXTS)]
    save("bytepairs.json", {"texts": TEXTS, "vocabulary": tokens, "types": types, "merges": merges, "cases": cases})


main()
