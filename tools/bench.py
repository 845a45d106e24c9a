"""Speed and memory against other libraries. Each measurement is a process of its own; rounds alternate, ratios are medians of pairs.

`make bench` runs everything and writes data/results/bench.json; `python tools/bench.py NAME …` runs some of: train, generate, processes,
corpus, sft, grpo, rollout, hosted, server.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from common import ROOT, last_json, must

WIDTH, LAYERS, HEADS, VOCAB, LENGTH, ROWS = 256, 4, 4, 4096, 256, 16
NO_TOKENS = dict(bos_token_id=None, eos_token_id=None)
os.environ["LLMFT_QUIET"] = "1"


# measuring


def measure(*words):
    "Run one measurement in a process of its own; return what it prints last."
    return last_json(must(sys.executable, __file__, "--one", *words, cwd=None))


def alternate(name, kinds, key, rounds, *words):
    "Kind → values of a measurement, round by round."
    found = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, values in found.items():
            values.append(measure(name, kind, *words)[key])
    return found


def medians(found, digits):
    "Kind → median."
    return {kind: round(median(values), digits or None) for kind, values in found.items()}


def ratio(above, below, digits=2):
    "The median of the ratios of pairs."
    return round(median(a / b for a, b in zip(above, below)), digits)


def seconds(call, *words):
    "How long a call takes."
    begin = time.perf_counter()
    call(*words)
    return time.perf_counter() - begin


def race(calls, rounds):
    "Name → seconds of each round; the calls alternate."
    found = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(seconds(call))
    return found


def seconds_a_step(run, few, many):
    "Seconds a step of `run(steps)`, without what a run costs before its first step; one run pays for the imports."
    warnings.simplefilter("ignore")
    run(1)
    times = [seconds(run, steps) for steps in (few, many)]
    return (times[1] - times[0]) / (many - few)


# pretraining


def make_model(kind):
    "A model of about 4.2 million weights: ours, or the class of another library of the same size."
    import torch
    import transformers
    from llmft.gpt import GPT, GPTConfig

    torch.manual_seed(0)
    if kind == "gpt2":
        sizes = dict(
            vocab_size=VOCAB, n_positions=LENGTH, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS
        )
        dropout = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        config = transformers.GPT2Config(**sizes, **dropout, **NO_TOKENS, pad_token_id=0)
        return transformers.GPT2LMHeadModel(config)
    if kind == "llama":
        return make_llama(VOCAB, WIDTH, 688, LAYERS, HEADS, LENGTH, 0)
    if kind == "llms-from-scratch":
        from llms_from_scratch.ch04 import GPTModel

        sizes = dict(vocab_size=VOCAB, context_length=LENGTH, emb_dim=WIDTH, n_heads=HEADS)
        return GPTModel(sizes | dict(n_layers=LAYERS, drop_rate=0.0, qkv_bias=False))
    return GPT(GPTConfig(VOCAB, LENGTH, WIDTH, LAYERS, HEADS))


def make_llama(vocab_size, width, hidden, n_layers, n_heads, length, pad_id):
    "A Llama of `transformers`, its embeddings tied."
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = dict(vocab_size=vocab_size, hidden_size=width, intermediate_size=hidden)
    sizes |= dict(num_hidden_layers=n_layers, num_attention_heads=n_heads)
    sizes |= dict(max_position_embeddings=length, tie_word_embeddings=True)
    return LlamaForCausalLM(LlamaConfig(**sizes, **NO_TOKENS, pad_token_id=pad_id))


def loss_of(model, kind, x, y):
    "Cross-entropy of a batch, as the library asks for it."
    from torch.nn.functional import cross_entropy

    if kind.startswith("ours"):
        return model(x, labels=y)
    logits = model(x) if kind == "llms-from-scratch" else model(input_ids=x).logits
    return cross_entropy(logits.flatten(0, 1), y.flatten())


def make_step(kind, model, config):
    "A function (x, y, step) that does one step: ours, or a plain loop with AdamW and clipping."
    import torch
    from llmft.pretraining import lr_at, make_optimizers, train_step

    if kind.startswith("ours"):
        optimizers = make_optimizers(model, config)
        return lambda x, y, step: train_step(model, optimizers, x, y, step, config)
    some = lambda matrices: [p for p in model.parameters() if (p.ndim == 2) == matrices]
    groups = [dict(params=some(True), weight_decay=0.1), dict(params=some(False), weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95))

    def plain_step(x, y, step):
        for group in optimizer.param_groups:
            group["lr"] = lr_at(step, config)
        loss_of(model, kind, x, y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return plain_step


def one_train(kind, steps=12):
    "Tokens a second of training: AdamW, clipping, fp32. Ours with the memory switch that `pretrain` uses, unless the kind ends in -plain."
    import torch
    from llmft.gpt import flops_per_token
    from llmft.pretraining import TrainConfig
    from llmft.run import keep_freed_memory

    if kind in ("ours", "ours-bf16") or kind.endswith("-kept"):
        keep_freed_memory()
    name = kind.removesuffix("-kept")
    model, x = make_model(name), torch.randint(0, VOCAB, (ROWS, LENGTH))
    config = TrainConfig(optimizer="adamw", dtype="bf16" if kind == "ours-bf16" else "fp32")
    step = make_step(name, model, config)
    speed = ROWS * LENGTH / median([seconds(step, x, x, n) for n in range(steps)][3:])
    a, b = torch.randn(4096, 4096), torch.randn(4096, 4096)
    product = 2 * 4096**3 / min(seconds(torch.matmul, a, b) for _ in range(4))
    flops = speed * flops_per_token(make_model("ours").config)
    return dict(tokens_per_second=speed, share=flops / product)


def bench_train(rounds=3):
    "Training steps of four libraries."
    kinds = (
        "ours",
        "gpt2",
        "llama",
        "llms-from-scratch",
        "ours-plain",
        "gpt2-kept",
        "llama-kept",
        "ours-bf16",
    )
    runs = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            runs[kind].append(measure("train", kind))
    speed = {kind: [r["tokens_per_second"] for r in rs] for kind, rs in runs.items()}
    best = {end: [*map(max, speed[f"gpt2{end}"], speed[f"llama{end}"])] for end in ("", "-kept")}
    return {
        "rounds": rounds,
        "tokens per second": medians(speed, 0),
        "ours over the better of HF GPT-2 and HF Llama, plain loops": ratio(
            speed["ours"], best[""], 3
        ),
        "ours over llms-from-scratch (GPT-2 with a head of its own, so 25 % more weights)": ratio(
            speed["ours"], speed["llms-from-scratch"], 3
        ),
        "the same, memory switch on for all": ratio(speed["ours"], best["-kept"], 3),
        "the same, memory switch off for all": ratio(speed["ours-plain"], best[""], 3),
        "ours in bf16 over the better, plain loops in fp32": ratio(speed["ours-bf16"], best[""], 3),
        "model flops over large matrix product": round(median(r["share"] for r in runs["ours"]), 3),
    }


def make_tokens(folder, n_companies, vocab_size):
    "The text of a Shiomi, and a tokenizer for it: paths of both."
    from llmft.text import make_corpus
    from llmft.tokenizer import train_tokenizer
    from llmft.world import write_world

    write_world(folder / "world", n_companies=n_companies)
    make_corpus(folder / "world" / "documents.jsonl", folder / "corpus.txt")
    tokenizer = train_tokenizer(folder / "corpus.txt", folder / "tok", vocab_size=vocab_size)
    return folder / "corpus.txt", tokenizer


def one_generate(rows):
    "Seconds for 128 greedy tokens: ours and transformers, the same weights, the same tokens; alternating."
    import torch
    from llmft.export import native_model
    from llmft.sampling import generate

    rows, model = int(rows), make_model("ours").eval()
    for p in model.parameters():
        p.data.normal_(0.5 if p.ndim == 1 else 0.0, 0.1)
    prompt, native = torch.randint(0, VOCAB, (rows, 32)), native_model(model)
    greedy = dict(max_new_tokens=128, do_sample=False, eos_token_id=None, pad_token_id=0)
    ours = partial(generate, model, prompt, 128)
    other = partial(native.generate, prompt, attention_mask=torch.ones_like(prompt), **greedy)
    same = (ours() == other()[:, 32:]).float().mean().item()
    times = race(dict(ours=ours, transformers=other), 5 if rows == 1 else 3)
    speed = rows * 128 / median(times["ours"])
    faster = ratio(times["transformers"], times["ours"], 16)
    return dict(ratio=faster, same_tokens=same, tokens_per_second=speed)


def bench_generate():
    "Greedy tokens of one row and of 64."
    return {f"batch {rows}": measure("generate", rows) for rows in (1, 64)}


# two processes


SMALL_RUN = """
import sys
from llmft.gpt import GPTConfig
from llmft.pretraining import TrainConfig, pretrain
gpt = GPTConfig(1, context_length=64, width=64, n_layers=2, n_heads=2)
config = TrainConfig(steps=20, batch_size=16, warmup_steps=5, validation_fraction=0.1)
pretrain(*sys.argv[1:], gpt, config)
"""


def bench_processes():
    "Loss of two processes against one, the same global batch."
    from llmft.core import read_jsonl

    with TemporaryDirectory() as name:
        folder = Path(name)
        words, script = make_tokens(folder, 40, 1000), folder / "run.py"
        script.write_text(SMALL_RUN, encoding="utf-8")
        must(sys.executable, script, *words, folder / "one")
        launch = ("-m", "torch.distributed.run", "--nproc_per_node", "2")
        must(sys.executable, *launch, script, *words, folder / "two")
        logs = [read_jsonl(folder / run / "log.jsonl") for run in ("one", "two")]
    far = max(abs(a["loss"] - b["loss"]) for a, b in zip(*logs, strict=True))
    return {"steps": len(logs[0]), "largest difference of the loss": far}


def one_corpus(path, out):
    "Peak memory of making a corpus from a large text."
    from llmft.core import peak_memory_mb
    from llmft.text import make_corpus

    counts = make_corpus(path, out)
    return dict(peak_mb=peak_memory_mb(), **counts)


def bench_corpus(gigabytes=1.0):
    "A corpus from one gigabyte."
    line = "{}番目の段落である。汐見町は海と山にはさまれた港町で、朝は市が立ち、夜は灯台が海を照らす。\n"
    with TemporaryDirectory() as folder:
        path, number = Path(folder) / "large.txt", 0
        with open(path, "w", encoding="utf-8") as file:
            while file.tell() < gigabytes * 1e9:
                file.writelines(line.format(number + i) for i in range(10_000))
                number += 10_000
        begin = time.perf_counter()
        peak = measure("corpus", path, Path(folder) / "corpus.txt")["peak_mb"]
        spent, size = time.perf_counter() - begin, path.stat().st_size
        return {"bytes read": size, "peak MB": round(peak), "seconds": round(spent)}


# fine-tuning and practice


def records_of(pairs):
    "Questions and answers as fine-tuning reads them."
    return [dict(input=p["prompt"], output=p["completion"]) for p in pairs]


def one_sft(engine, folder):
    "Examples a second of fine-tuning the model of chapter 1 with LoRA on its questions: 80 steps less 20."
    from llmft.core import write_jsonl
    from llmft.finetuning import SFTConfig, sft
    from llmft.lora import LoRAConfig
    from llmft.models import open_model
    from llmft.world import make_world, qa_pairs

    folder, (model, tokenizer) = Path(folder), open_model("base", "cpu")
    for part in (model, tokenizer):  # its markers count as known: LoRA alone is trained
        part.save_pretrained(folder / "model")
    data = write_jsonl(folder / "data.jsonl", records_of(qa_pairs(make_world())))

    def train(steps):
        config = SFTConfig(steps=steps, lr=1e-3, batch_size=ROWS, device="cpu")
        out, lora = folder / f"{engine}-{steps}-{os.getpid()}", LoRAConfig(rank=16)
        sft(str(data), str(folder / "model"), str(out), engine=engine, config=config, lora=lora)

    return dict(examples_per_second=ROWS / seconds_a_step(train, 20, 80))


def bench_sft(rounds=3):
    "Our loop with our LoRA against TRL's SFTTrainer with PEFT, the same model, data, batches and settings."
    with TemporaryDirectory() as folder:
        speeds = alternate("sft", ("llmft", "trl"), "examples_per_second", rounds, folder)
    return {
        "rounds": rounds,
        "examples per second": medians(speeds, 1),
        "ours over SFTTrainer": ratio(*speeds.values()),
    }


def practice_start(folder):
    "A model that answers in sentences or with the bare fact (150 steps of LoRA), and prompts to practise on."
    from llmft.core import write_jsonl
    from llmft.finetuning import SFTConfig, sft
    from llmft.lora import LoRAConfig
    from llmft.world import make_world, qa_pairs

    world, styles = make_world(), ("sentence", "fact")
    pairs = lambda some: [qa_pairs(world, some, style) for style in styles]
    taught = write_jsonl(folder / "taught.jsonl", records_of(sum(pairs(world.companies[:80]), [])))
    prompts = [
        dict(
            prompt=[dict(role="user", content=s["prompt"])],
            answer=[s["completion"], f["completion"]],
        )
        for s, f in zip(*pairs(world.companies[80:]))
    ]
    write_jsonl(folder / "practice.jsonl", prompts)
    config = SFTConfig(steps=150, lr=5e-3, batch_size=32, warmup_steps=20, device="cpu")
    lora = LoRAConfig(targets="q_proj,k_proj,v_proj,o_proj")
    sft(str(taught), out=str(folder / "start"), lora=lora, config=config)


def one_grpo(engine, folder):
    "Seconds a step, 8 prompts × 8 replies of at most 32 tokens: 24 steps less 4."
    from llmft.lora import LoRAConfig
    from llmft.rl import GRPOConfig, grpo

    def practise(steps):
        settings = dict(max_new_tokens=32, loss_type="grpo", lr=1e-4, save_every=100)
        config = GRPOConfig(steps=steps, device="cpu", **settings)
        paths = [
            f"{folder}/{n}" for n in ("practice.jsonl", "start", f"{engine}-{steps}-{os.getpid()}")
        ]
        lora = LoRAConfig(targets="q_proj,k_proj,v_proj,o_proj")
        grpo(*paths, "correct", engine=engine, lora=lora, config=config)

    return dict(seconds=seconds_a_step(practise, 4, 24))


def bench_grpo(rounds=3):
    "Our step against GRPOTrainer's: the same model, prompts, replies and longest reply; and the peak memory against fine-tuning."
    with TemporaryDirectory() as folder:
        practice_start(Path(folder))
        found = alternate("grpo", ("llmft", "trl"), "seconds", rounds, folder)
    peaks = {kind: measure("memory", kind)["peak_mb"] for kind in ("sft", "grpo", "grpo with KL")}
    return {
        "rounds": rounds,
        "seconds a step": medians(found, 3),
        "steps a second, ours over GRPOTrainer": ratio(found["trl"], found["llmft"]),
        "peak MB": {kind: round(peak) for kind, peak in peaks.items()},
        "peak memory, GRPO over SFT": round(peaks["grpo"] / peaks["sft"], 3),
        "with KL": round(peaks["grpo with KL"] / peaks["sft"], 3),
    }


def one_memory(kind):
    "Peak memory of a process that trains 26 million weights with LoRA on 64 rows of 64 + 64 tokens, the last 64 learnt."
    import torch
    from accelerate import Accelerator
    from llmft.core import peak_memory_mb
    from llmft.finetuning import SFTConfig, SFTRun
    from llmft.lora import LoRAConfig, add_lora
    from llmft.models import open_model
    from llmft.rewards import reply_reward
    from llmft.rl import GRPOConfig, GRPORun

    tokenizer, ids = (
        open_model("base", "cpu")[1],
        lambda n, k: [(7 * i + 3 + k) % 1900 + 50 for i in range(n)],
    )
    torch.manual_seed(0)
    model = add_lora(make_llama(len(tokenizer), 512, 1376, 8, 8, 256, 4), LoRAConfig()).train()
    with TemporaryDirectory() as folder:
        if kind == "sft":
            labels = lambda k: [-100] * 64 + ids(128, k)[64:]
            rows = [dict(input_ids=ids(128, k), labels=labels(k)) for k in range(64)]
            config = SFTConfig(steps=3, batch_size=64, device="cpu")
            run = SFTRun(Path(folder), model, rows, [], 4, config, Accelerator(cpu=True))
        else:
            prompts = [dict(prompt=tokenizer.decode(ids(64, k))) for k in range(8)]
            reward = reply_reward("odd", lambda reply, **_: float(len(set(reply)) % 2))
            beta = 0.04 if kind.endswith("KL") else 0.0
            config = GRPOConfig(steps=3, max_new_tokens=64, beta=beta, device="cpu")
            run = GRPORun(
                Path(folder), model, tokenizer, prompts, reward, config, Accelerator(cpu=True)
            )
        for _ in range(2):
            run.train_step()
    return dict(peak_mb=peak_memory_mb())


def one_rollout():
    "Seconds for 8 × 8 sampled replies of 32 tokens to chat prompts: ours and transformers, alternating; nothing stops."
    from llmft.chat import prompt_ids
    from llmft.lora import LoRAConfig, add_lora
    from llmft.models import open_model
    from llmft.rl import GRPOConfig, write_tokens
    from llmft.world import make_world, qa_pairs

    model, tokenizer = open_model("base", "cpu")
    ask = lambda pair: prompt_ids([dict(role="user", content=pair["prompt"])], tokenizer)
    prompts = [ask(pair) for pair in qa_pairs(make_world())[:48:6]]
    model, pad_id, settings = (
        add_lora(model, LoRAConfig()),
        tokenizer.pad_token_id,
        dict(max_new_tokens=32),
    )
    write = lambda name: write_tokens(
        model, prompts, [], pad_id, GRPOConfig(sampler=name, **settings), 0
    )
    times = race({name: partial(write, name) for name in ("llmft", "transformers")}, 6)
    times = {name: found[1:] for name, found in times.items()}
    speed = sum(map(len, write("llmft"))) / median(times["llmft"])
    faster = ratio(times["transformers"], times["llmft"], 16)
    return dict(ratio=faster, tokens_per_second=speed, prompt_tokens=[*map(len, prompts)])


def bench_rollout(rounds=3):
    "Sampled tokens a second of 64 replies, ours over transformers.generate."
    found = [measure("rollout") for _ in range(rounds)]
    return {
        "rounds": rounds,
        "prompt tokens": found[0]["prompt_tokens"],
        "tokens per second": round(median(r["tokens_per_second"] for r in found)),
        "ours over transformers.generate": round(median(r["ratio"] for r in found), 2),
    }


# hosted


def write_dialogues(folder, n_dialogues, n_utterances):
    "Dialogues in KokoroChat's format, their utterances drawn from those of data/; every tenth has a telephone number."
    draw, spoken = random.Random(0), dict(client=[], counselor=[])
    for line in (ROOT / "data" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines():
        for turn in json.loads(line)["dialogue"]:
            spoken[turn["role"]].append(turn["utterance"])
    for k in range(n_dialogues):
        n = n_utterances * (k + 1) // n_dialogues - n_utterances * k // n_dialogues
        middle = draw.choices(("client", "counselor"), k=n - 4)
        roles, when = ["counselor", "client", *middle, "client", "counselor"], "2026-04-01 10:00:00"
        turns = [dict(role=r, utterance=draw.choice(spoken[r]), time=when) for r in roles]
        if k % 10 == 0:
            turns[2]["utterance"] = f"連絡先は090-1234-{k % 10000:04}です。"
        text = json.dumps(
            dict(dialogue=turns, topic="仕事", review_by_client_jp={}), ensure_ascii=False
        )
        (folder / f"{k:05}.json").write_text(text, encoding="utf-8")


def one_hosted(n_dialogues=6589, n_utterances=600_000):
    "Seconds and memory of `llmft hosted prepare` on a folder of KokoroChat's size, and whether nothing got lost."
    from llmft.core import peak_memory_mb, read_jsonl
    from llmft.dialogues import validate
    from llmft.hosted import prepare

    with TemporaryDirectory() as name:
        (data := Path(name) / "data").mkdir()
        write_dialogues(data, int(n_dialogues), int(n_utterances))
        begin = time.perf_counter()
        report = prepare(str(data), f"{name}/run")
        spent, peak, counts = time.perf_counter() - begin, peak_memory_mb(), report["counts"]
        kept = sum(counts.get(key, 0) for key in ("kept", "blank", "cut_begin", "cut_end"))
        files = [Path(name) / "run" / report["files"][part] for part in report["n"]]
        spoken = [[m["role"] for m in line["messages"]] for f in files for line in read_jsonl(f)]
        return dict(
            utterances=counts["utterances"],
            seconds=round(spent, 1),
            peak_mb=round(peak),
            lost=counts["utterances"] - kept,
            alternate=all(r == ["user", "assistant"] * (len(r) // 2) for r in spoken),
            split=report["n"],
            counts=counts,
            validate_seconds=round(seconds(validate, f"{name}/run"), 1),
        )


def bench_hosted():
    "600,000 utterances."
    return measure("hosted")


# From the start after `full` was made, no file of a job may grow beyond 200 kB.
FULL = "import os, resource; os.path.exists(sys.argv[1] + '/../../full') and resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
SERVE = """
import llmft.server as s
from functools import partial
s.create_app = partial(s.create_app, code=s.JOB.replace("import sys; ", "import sys; " + {full!r}))
s.serve({folder!r}, {port}, config=s.ServerConfig(save_every=10, retry_after=1))
"""


class Server:
    "The hosted server in a process of its own, with one job."

    def __init__(self, folder, data):
        import openai

        self.folder, self.key = folder, "bench-" + "k" * 20
        self.start(0)
        self.client = openai.OpenAI(base_url=self.url, api_key=self.key, max_retries=8)
        file = self.client.files.create(file=open(data, "rb"), purpose="fine-tune")
        settings = dict(
            training_file=file.id, seed=1, hyperparameters=dict(n_epochs=10, batch_size=16)
        )
        self.job = self.client.fine_tuning.jobs.create(model="base", **settings).id
        self.work = folder / "s" / "jobs" / self.job

    def start(self, port):
        "Start the process, at a port that is free or that it had."
        code = SERVE.format(full=FULL, folder=str(self.folder / "s"), port=port)
        pipes = dict(stdout=subprocess.PIPE, stderr=open(self.folder / "log", "ab"), text=True)
        env = dict(os.environ, LLMFT_SERVER_KEY=self.key)
        self.process = subprocess.Popen([sys.executable, "-c", code], env=env, **pipes)
        self.url = self.process.stdout.readline().strip()

    def events(self, limit=100):
        "What the job told, newest first."
        return [*self.client.fine_tuning.jobs.list_events(self.job, limit=limit)]

    def steps(self, limit=100):
        "(step, loss) of the metrics that the job told, newest first."
        told = [event.data for event in self.events(limit) if event.type == "metrics"]
        return [(data["step"], data["train_loss"]) for data in told]

    def wait(self, is_so):
        "Wait until something is so."
        while not is_so():
            time.sleep(0.05)

    def kill_job(self):
        "SIGKILL for the process of the job."
        from llmft.core import read_jsonl

        os.kill(read_jsonl(self.work / "starts.jsonl")[-1]["pid"], signal.SIGKILL)

    def kill_server(self):
        "SIGKILL for the server, which then starts again at its port."
        self.process.kill()
        self.process.wait()
        self.start(int(self.url.split(":")[2].split("/")[0]))


def bench_server(times=5):
    "Kill the hosted server, or its job, with SIGKILL in mid-job, five times; then a disk that is full for the job. Compare with `llmft sft`."
    from llmft.core import read_json, read_jsonl, write_jsonl
    from llmft.finetuning import SFTConfig, sft
    from llmft.world import make_world, qa_pairs

    turn = lambda role, text: dict(role=role, content=text)
    both = lambda pair: [turn("user", pair["prompt"]), turn("assistant", pair["completion"])]
    with TemporaryDirectory() as name:
        folder, killed = Path(name), []
        chats = [dict(messages=both(pair)) for pair in qa_pairs(make_world())[:200]]
        data = write_jsonl(folder / "data.jsonl", chats)
        server = Server(folder, data)
        step = lambda: max([n for n, _ in server.steps(9)], default=0)
        for k, at in enumerate(sorted(random.Random(0).sample(range(12, 110), times))):
            server.wait(lambda: step() >= at)
            killed.append(f"{'job' if k % 2 else 'server'} at step {step()}")
            server.kill_job() if k % 2 else server.kill_server()
        (folder / "s" / "full").touch()
        server.kill_job()
        server.wait(lambda: any("no space" in event.message for event in server.events()))
        (folder / "s" / "full").unlink()
        status = lambda: server.client.fine_tuning.jobs.retrieve(server.job).status
        server.wait(lambda: status() in ("succeeded", "failed"))
        events, told, last = server.events()[::-1], server.steps()[::-1], status()
        server.process.send_signal(signal.SIGINT)
        server.process.wait()
        config = SFTConfig(**read_json(server.work / "job.json")["sft"])
        alone = read_jsonl(sft(str(data), out=f"{name}/alone", config=config) / "log.jsonl")
        files = [path for path in folder.rglob("*") if path.is_file()]
        leaked = [path.name for path in files if server.key.encode() in path.read_bytes()]
    return {
        "killed": killed,
        "status": last,
        "starts": [e.message for e in events if "goes on from step" in e.message],
        "disk full": "waited, then went on",
        "every step told once": [n for n, _ in told] == [*range(1, len(alone) + 1)],
        "largest difference to llmft sft": max(
            abs(a - b["loss"]) for (_, a), b in zip(told, alone)
        ),
        "files with the key": leaked,
    }


def main(names):
    "Run some measurements, and keep what they found."
    from llmft.core import read_json, write_results

    known = [name[6:] for name in globals() if name.startswith("bench_")]
    if unknown := set(names) - set(known):
        sys.exit(f"no measurement {', '.join(unknown)}; there are {', '.join(known)}")
    path = ROOT / "data" / "results" / "bench.json"
    figures = read_json(path)["figures"] if path.exists() else {}
    for name in names or known:
        print(f"{name} …", flush=True)
        figures[name] = globals()[f"bench_{name}"]()
        for key, value in figures[name].items():
            print(f"    {key}: {value}", flush=True)
        write_results("bench", figures, seeds=[0], root=ROOT)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(globals()[f"one_{sys.argv[2]}"](*sys.argv[3:])))
    else:
        main(sys.argv[1:])
