"""Speed and memory against other libraries. Each measurement is a process of its own; rounds alternate, ratios are medians of pairs.

`make bench` runs everything and writes data/results/bench.json; `python tools/bench.py NAME …` runs some of: train, loss, generate, kill,
processes, corpus, sft, grpo, rollout, hosted, server.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH, LAYERS, HEADS, VOCAB, LENGTH, ROWS = 256, 4, 4, 4096, 256, 16
os.environ["LLMFT_QUIET"] = "1"


def measure(*words):
    "Run one measurement in a process of its own; return the JSON that it prints last."
    done = subprocess.run(
        [sys.executable, __file__, "--one", *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{words}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def make_model(kind):
    "A model of about 4.2 million weights: ours, or the Hugging Face class of the same size."
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
    from llmft.gpt import GPT, GPTConfig

    torch.manual_seed(0)
    if kind.startswith("ours"):
        return GPT(GPTConfig(VOCAB, LENGTH, WIDTH, LAYERS, HEADS))
    if kind == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=VOCAB,
                n_positions=LENGTH,
                n_embd=WIDTH,
                n_layer=LAYERS,
                n_head=HEADS,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=None,
                eos_token_id=None,
                pad_token_id=0,
            )
        )
    if kind == "llms-from-scratch":
        from llms_from_scratch.ch04 import GPTModel

        return GPTModel(
            dict(
                vocab_size=VOCAB,
                context_length=LENGTH,
                emb_dim=WIDTH,
                n_heads=HEADS,
                n_layers=LAYERS,
                drop_rate=0.0,
                qkv_bias=False,
            )
        )
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCAB,
            hidden_size=WIDTH,
            intermediate_size=688,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=LENGTH,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
    )


def loss_of(model, kind, x, y):
    import torch.nn.functional as F

    if kind.startswith("ours"):
        return model(x, labels=y)
    logits = model(x) if kind == "llms-from-scratch" else model(input_ids=x).logits
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def one_train(kind, steps=12):
    "Tokens a second of training: AdamW, clipping, fp32. Ours with the memory switch that `pretrain` uses, unless the kind ends in -plain."
    import torch
    from llmft.gpt import flops_per_token
    from llmft.pretraining import TrainConfig, keep_freed_memory, make_optimizers, train_step

    if kind in ("ours", "ours-bf16") or kind.endswith("-kept"):
        keep_freed_memory()
    name = kind.removesuffix("-kept")
    model, x = make_model(name), torch.randint(0, VOCAB, (ROWS, LENGTH))
    config = TrainConfig(optimizer="adamw", dtype="bf16" if kind == "ours-bf16" else "fp32")
    optimizers = (
        make_optimizers(model, config)
        if kind.startswith("ours")
        else [torch.optim.AdamW(model.parameters(), lr=1e-3)]
    )
    times = []
    for step in range(steps):
        begin = time.perf_counter()
        if kind.startswith("ours"):
            train_step(model, optimizers, x, x, step, config)
        else:
            loss_of(model, name, x, x).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers[0].step()
            optimizers[0].zero_grad()
        times.append(time.perf_counter() - begin)
    speed = ROWS * LENGTH / statistics.median(times[3:])
    a, b = torch.randn(4096, 4096), torch.randn(4096, 4096)
    products = []
    for _ in range(4):
        begin = time.perf_counter()
        a @ b
        products.append(time.perf_counter() - begin)
    return dict(
        tokens_per_second=speed,
        flops=speed * flops_per_token(make_model("ours").config),
        matmul_flops=2 * 4096**3 / min(products),
    )


def bench_train(rounds=3):
    kinds = [
        "ours",
        "gpt2",
        "llama",
        "llms-from-scratch",
        "ours-plain",
        "gpt2-kept",
        "llama-kept",
        "ours-bf16",
    ]
    runs = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            runs[kind].append(measure("train", kind))
    speed = {kind: [r["tokens_per_second"] for r in rs] for kind, rs in runs.items()}
    ratio = lambda a, b, c: statistics.median(
        x / max(y, z) for x, y, z in zip(speed[a], speed[b], speed[c])
    )
    return {
        "rounds": rounds,
        "tokens per second": {kind: round(statistics.median(s)) for kind, s in speed.items()},
        "ours over the better of HF GPT-2 and HF Llama, plain loops": round(
            ratio("ours", "gpt2", "llama"), 3
        ),
        "ours over llms-from-scratch (GPT-2 with a head of its own, so 25 % more weights)": round(
            statistics.median(a / b for a, b in zip(speed["ours"], speed["llms-from-scratch"])), 3
        ),
        "the same, memory switch on for all": round(ratio("ours", "gpt2-kept", "llama-kept"), 3),
        "the same, memory switch off for all": round(ratio("ours-plain", "gpt2", "llama"), 3),
        "ours in bf16 over the better, plain loops in fp32": round(
            ratio("ours-bf16", "gpt2", "llama"), 3
        ),
        "model flops over large matrix product": round(
            statistics.median(r["flops"] / r["matmul_flops"] for r in runs["ours"]), 3
        ),
    }


def world_tokens(folder):
    "Shiomi with 2,000 companies, packed with a vocabulary of 4,096: (training row, validation row)."
    from llmft.pretraining import TrainConfig, open_tokens, prepare_tokens
    from llmft.text import make_corpus
    from llmft.tokenizer import Tokenizer, train_tokenizer
    from llmft.world import write_world

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "validation.json").exists():
        write_world(folder / "world", n_companies=2000)
        make_corpus(folder / "world" / "documents.jsonl", folder / "corpus.txt")
        train_tokenizer(folder / "corpus.txt", folder / "tok", vocab_size=VOCAB)
        prepare_tokens(
            folder / "corpus.txt",
            Tokenizer(folder / "tok.model"),
            folder,
            TrainConfig(validation_fraction=0.05),
        )
    return [open_tokens(folder / f"{side}.bin") for side in ("train", "validation")]


def one_loss(kind, lr, steps, target, folder):
    "Seconds of training until the validation loss is at or below the target (measured every 10 steps, not counted in the time)."
    import numpy as np
    import torch
    from llmft.pretraining import (
        TrainConfig,
        batch_at,
        keep_freed_memory,
        lr_at,
        make_optimizers,
        train_step,
    )

    lr, steps, target = float(lr), int(steps), float(target)
    train, held = world_tokens(Path(folder))
    rows = torch.from_numpy(held[: 16 * LENGTH * 3 + 1].astype(np.int64))
    x_held, y_held = rows[:-1].view(-1, LENGTH), rows[1:].view(-1, LENGTH)
    if kind == "ours":
        keep_freed_memory()
    model = make_model(kind)
    config = TrainConfig(
        steps=steps,
        lr=lr,
        warmup_steps=20,
        batch_size=ROWS,
        schedule="linear" if kind == "ours" else "cosine",
        final_lr=0.0 if kind == "ours" else 0.1,
    )
    decay = [[p for p in model.parameters() if (p.ndim == 2) == matrix] for matrix in (True, False)]
    optimizers = (
        make_optimizers(model, config)
        if kind == "ours"
        else [
            torch.optim.AdamW(
                [dict(params=decay[0], weight_decay=0.1), dict(params=decay[1], weight_decay=0.0)],
                lr=lr,
                betas=(0.9, 0.95),
            )
        ]
    )
    seconds, history = 0.0, []
    for step in range(steps):
        x, y = batch_at(train, step, ROWS, LENGTH)
        begin = time.perf_counter()
        if kind == "ours":
            train_step(model, optimizers, x, y, step, config)
        else:
            for group in optimizers[0].param_groups:
                group["lr"] = lr_at(step, config)
            loss_of(model, kind, x, y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers[0].step()
            optimizers[0].zero_grad()
        seconds += time.perf_counter() - begin
        if (step + 1) % 10 == 0 or step + 1 == steps:
            with torch.no_grad():
                loss = (
                    sum(
                        loss_of(model, kind, x_held[i : i + 16], y_held[i : i + 16]).item()
                        for i in (0, 16, 32)
                    )
                    / 3
                )
            history.append((step + 1, round(seconds, 2), round(loss, 4)))
            if loss <= target:
                break
    return dict(seconds=seconds, steps=step + 1, loss=loss, history=history)


def bench_loss():
    "Time to the loss that HF GPT-2 with AdamW reaches in 300 steps with the best of three learning rates."
    with tempfile.TemporaryDirectory() as folder:
        world_tokens(Path(folder))
        theirs = {lr: measure("loss", "gpt2", lr, 300, -1, folder) for lr in (1e-3, 2e-3, 4e-3)}
        best = min(theirs, key=lambda lr: theirs[lr]["loss"])
        ours = measure("loss", "ours", 0.01, 120, theirs[best]["loss"], folder)
    return {
        "HF GPT-2, best learning rate": best,
        "its loss after 300 steps, by learning rate": {lr: r["loss"] for lr, r in theirs.items()},
        "its seconds": round(theirs[best]["seconds"], 1),
        "our seconds": round(ours["seconds"], 1),
        "our steps": ours["steps"],
        "our loss": ours["loss"],
        "ratio": round(ours["seconds"] / theirs[best]["seconds"], 3),
    }


def one_generate(rows):
    "Seconds for 128 greedy tokens: ours and transformers, the same weights, the same tokens; alternating."
    import torch
    from llmft.export import native_model
    from llmft.sampling import generate

    rows = int(rows)
    model = make_model("ours").eval()
    for p in model.parameters():
        p.data.normal_(0.5 if p.ndim == 1 else 0.0, 0.1)
    theirs = native_model(model)
    prompt = torch.randint(0, VOCAB, (rows, 32))
    calls = {
        "ours": lambda: generate(model, prompt, 128),
        "transformers": lambda: theirs.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=128,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )[:, 32:],
    }
    same = (calls["ours"]() == calls["transformers"]()).float().mean().item()
    times = {name: [] for name in calls}
    for _ in range(5 if rows == 1 else 3):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    ratio = statistics.median(b / a for a, b in zip(times["ours"], times["transformers"]))
    return dict(
        ratio=ratio,
        same_tokens=same,
        tokens_per_second=rows * 128 / statistics.median(times["ours"]),
    )


def bench_generate():
    return {f"batch {rows}": measure("generate", rows) for rows in (1, 64)}


def small_run(folder):
    "A script that pretrains a small model, and its settings."
    from llmft.gpt import GPTConfig
    from llmft.pretraining import TrainConfig, run_script
    from llmft.text import make_corpus
    from llmft.tokenizer import train_tokenizer
    from llmft.world import write_world

    write_world(folder / "world", n_companies=40)
    make_corpus(folder / "world" / "documents.jsonl", folder / "corpus.txt")
    tokenizer = train_tokenizer(folder / "corpus.txt", folder / "tok", vocab_size=1000)
    config = TrainConfig(
        steps=80,
        batch_size=16,
        save_every=9,
        eval_every=80,
        sample_every=0,
        warmup_steps=5,
        validation_fraction=0.1,
    )
    text = run_script(
        folder / "corpus.txt",
        tokenizer,
        GPTConfig(1, context_length=64, width=64, n_layers=2, n_heads=2, dropout=0.1),
        config,
    )
    (folder / "run.py").write_text(text, encoding="utf-8")
    return [sys.executable, str(folder / "run.py")]


def finished(folder):
    "Losses and weights of a finished run."
    from llmft.core import load_tensors, read_jsonl

    return [r["loss"] for r in read_jsonl(folder / "log.jsonl")], load_tensors(
        folder / "model.safetensors"
    )[0]


def bench_kill(times=5):
    "Kill a run with SIGKILL at random steps, five times, and compare it with one that was left alone."
    import torch

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        command = small_run(folder)
        subprocess.run([*command, str(folder / "alone")], check=True, capture_output=True)
        log, steps = folder / "killed" / "log.jsonl", sorted(random.sample(range(5, 78), times))
        for step in steps:
            process = subprocess.Popen(
                [*command, str(folder / "killed")], stderr=subprocess.DEVNULL
            )
            while (len(log.read_bytes().splitlines()) if log.exists() else 0) < step:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        subprocess.run([*command, str(folder / "killed")], check=True, capture_output=True)
        (losses, weights), (losses_killed, weights_killed) = (
            finished(folder / "alone"),
            finished(folder / "killed"),
        )
    equal = losses == losses_killed and all(
        torch.equal(weights[name], weights_killed[name]) for name in weights
    )
    return {"killed after steps": steps, "losses and weights equal to the last bit": equal}


def bench_processes():
    "Loss of two processes against one, the same global batch."
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        command = small_run(folder)
        text = (
            (folder / "run.py")
            .read_text(encoding="utf-8")
            .replace("dropout=0.1", "dropout=0.0")
            .replace("steps=80", "steps=20")
        )
        (folder / "run.py").write_text(text, encoding="utf-8")
        subprocess.run([*command, str(folder / "one")], check=True, capture_output=True)
        launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
        subprocess.run([*launch, command[1], str(folder / "two")], check=True, capture_output=True)
        pairs = list(zip(finished(folder / "one")[0], finished(folder / "two")[0], strict=True))
    return {
        "steps": len(pairs),
        "largest difference of the loss": max(abs(a - b) for a, b in pairs),
    }


def one_sft(engine, folder):
    "Examples a second of fine-tuning the model of chapter 1 with LoRA on its questions: 80 steps less 20, after a first run that pays for the imports."
    import warnings
    from llmft.chat import use_chat_template
    from llmft.core import write_jsonl
    from llmft.export import base_model
    from llmft.lora import LoRAConfig
    from llmft.finetuning import SFTConfig, sft
    from llmft.world import make_world, qa_pairs

    warnings.simplefilter("ignore")
    folder, rows = Path(folder), 16
    model, tokenizer = base_model()
    model.save_pretrained(folder / "model")
    use_chat_template(tokenizer).save_pretrained(
        folder / "model"
    )  # its markers count as known: LoRA alone is trained
    data = write_jsonl(
        folder / "data.jsonl",
        (dict(input=p["prompt"], output=p["completion"]) for p in qa_pairs(make_world())),
    )
    times = []
    for steps in (1, 20, 80):
        begin = time.perf_counter()
        sft(
            str(data),
            str(folder / "model"),
            str(folder / f"{engine}-{steps}-{os.getpid()}"),
            engine=engine,
            config=SFTConfig(steps=steps, lr=1e-3, batch_size=rows, device="cpu"),
            lora=LoRAConfig(rank=16),
        )
        times.append(time.perf_counter() - begin)
    return dict(examples_per_second=60 * rows / (times[2] - times[1]))


def bench_sft(rounds=3):
    "Our loop with our LoRA against TRL's SFTTrainer with PEFT, the same model, data, batches and settings."
    speeds = {"llmft": [], "trl": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for engine in speeds:
                speeds[engine].append(measure("sft", engine, folder)["examples_per_second"])
    return {
        "rounds": rounds,
        "examples per second": {
            engine: round(statistics.median(found), 1) for engine, found in speeds.items()
        },
        "ours over SFTTrainer": round(
            statistics.median(a / b for a, b in zip(*speeds.values())), 2
        ),
    }


def one_corpus(path, out):
    "Peak memory of making a corpus from a large text."
    from llmft.core import peak_memory_mb
    from llmft.text import make_corpus

    counts = make_corpus(path, out)
    return dict(peak_mb=peak_memory_mb(), **counts)


def bench_corpus(gigabytes=1.0):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.txt"
        with open(path, "w", encoding="utf-8") as file:
            number = 0
            while file.tell() < gigabytes * 1e9:
                file.writelines(
                    f"{number + i}番目の段落である。汐見町は海と山にはさまれた港町で、朝は市が立ち、夜は灯台が海を照らす。\n"
                    for i in range(10_000)
                )
                number += 10_000
        begin = time.perf_counter()
        result = measure("corpus", path, Path(folder) / "corpus.txt")
        return {
            "bytes read": path.stat().st_size,
            "peak MB": round(result["peak_mb"]),
            "seconds": round(time.perf_counter() - begin),
        }


def practice_start(folder):
    "A model that answers in sentences or with the bare fact (150 steps of LoRA), and prompts to practise on."
    from llmft.core import write_jsonl
    from llmft.lora import LoRAConfig
    from llmft.finetuning import SFTConfig, sft
    from llmft.world import make_world, qa_pairs

    world = make_world()
    taught = [
        dict(input=p["prompt"], output=p["completion"])
        for style in ("sentence", "fact")
        for p in qa_pairs(world, world.companies[:80], style)
    ]
    pairs = zip(
        qa_pairs(world, world.companies[80:]), qa_pairs(world, world.companies[80:], "fact")
    )
    write_jsonl(
        folder / "practice.jsonl",
        (
            dict(
                prompt=[dict(role="user", content=s["prompt"])],
                answer=[s["completion"], f["completion"]],
            )
            for s, f in pairs
        ),
    )
    return sft(
        str(write_jsonl(folder / "taught.jsonl", taught)),
        out=str(folder / "start"),
        lora=LoRAConfig(targets="q_proj,k_proj,v_proj,o_proj"),
        config=SFTConfig(steps=150, lr=5e-3, batch_size=32, warmup_steps=20, device="cpu"),
    )


def one_grpo(engine, folder):
    "Seconds a step, 8 prompts × 8 replies of at most 32 tokens: 24 steps less 4, after a first run that pays for the imports."
    import warnings
    from llmft.rl import GRPOConfig, grpo
    from llmft.lora import LoRAConfig

    warnings.simplefilter("ignore")
    times, folder = [], Path(folder)
    for steps in (1, 4, 24):
        begin = time.perf_counter()
        grpo(
            str(folder / "practice.jsonl"),
            str(folder / "start"),
            str(folder / f"{engine}-{steps}-{os.getpid()}"),
            "correct",
            engine=engine,
            lora=LoRAConfig(targets="q_proj,k_proj,v_proj,o_proj"),
            config=GRPOConfig(
                steps=steps,
                max_new_tokens=32,
                loss_type="grpo",
                lr=1e-4,
                save_every=100,
                device="cpu",
            ),
        )
        times.append(time.perf_counter() - begin)
    return dict(seconds=(times[2] - times[1]) / 20)


def bench_grpo(rounds=3):
    "Our step against GRPOTrainer's: the same model, prompts, replies and longest reply; and the peak memory against fine-tuning."
    found = {"llmft": [], "trl": []}
    with tempfile.TemporaryDirectory() as folder:
        practice_start(Path(folder))
        for _ in range(rounds):
            for engine in found:
                found[engine].append(measure("grpo", engine, folder)["seconds"])
    peaks = {kind: measure("memory", kind)["peak_mb"] for kind in ("sft", "grpo", "grpo with KL")}
    return {
        "rounds": rounds,
        "seconds a step": {engine: round(statistics.median(s), 3) for engine, s in found.items()},
        "steps a second, ours over GRPOTrainer": round(
            statistics.median(b / a for a, b in zip(*found.values())), 2
        ),
        "peak MB": {kind: round(peak) for kind, peak in peaks.items()},
        "peak memory, GRPO over SFT": round(peaks["grpo"] / peaks["sft"], 3),
        "with KL": round(peaks["grpo with KL"] / peaks["sft"], 3),
    }


def one_memory(kind):
    "Peak memory of a process that trains 26 million weights with LoRA on 64 rows of 64 + 64 tokens, the last 64 learnt."
    import torch
    from accelerate import Accelerator
    from transformers import LlamaConfig, LlamaForCausalLM
    from llmft.core import peak_memory_mb
    from llmft.export import base_model
    from llmft.rl import GRPOConfig, GRPORun, grpo_step
    from llmft.lora import LoRAConfig, add_lora
    from llmft.rewards import reply_reward
    from llmft.finetuning import SFTConfig, SFTRun, sft_step

    tokenizer, ids = base_model()[1], lambda n, k: [(7 * i + 3 + k) % 1900 + 50 for i in range(n)]
    torch.manual_seed(0)
    model = add_lora(
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=512,
                intermediate_size=1376,
                num_hidden_layers=8,
                num_attention_heads=8,
                max_position_embeddings=256,
                pad_token_id=4,
                bos_token_id=None,
                eos_token_id=None,
            )
        ),
        LoRAConfig(),
    ).train()
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sft":
            rows = [
                dict(input_ids=ids(128, k), labels=[-100] * 64 + ids(128, k)[64:])
                for k in range(64)
            ]
            run = SFTRun(
                Path(folder),
                model,
                rows,
                [],
                4,
                SFTConfig(steps=3, batch_size=64, device="cpu"),
                Accelerator(cpu=True),
            )
            for _ in range(2):
                sft_step(run)
        else:
            records, odd = (
                [dict(prompt=tokenizer.decode(ids(64, k))) for k in range(8)],
                reply_reward("odd", lambda reply, **_: float(len(set(reply)) % 2)),
            )
            config = GRPOConfig(
                steps=3, max_new_tokens=64, beta=0.04 if kind.endswith("KL") else 0.0, device="cpu"
            )
            run = GRPORun(
                Path(folder), model, tokenizer, records, odd, config, Accelerator(cpu=True)
            )
            for _ in range(2):
                grpo_step(run)
    return dict(peak_mb=peak_memory_mb())


def one_rollout():
    "Seconds for 8 × 8 sampled replies of 32 tokens to chat prompts: ours and transformers, alternating; nothing stops."
    from dataclasses import replace
    from llmft.chat import prompt_ids, use_chat_template
    from llmft.export import base_model
    from llmft.rl import GRPOConfig, write_tokens
    from llmft.lora import LoRAConfig, add_lora
    from llmft.world import make_world, qa_pairs

    model, tokenizer = base_model()
    use_chat_template(tokenizer)
    prompts = [
        prompt_ids([dict(role="user", content=p["prompt"])], tokenizer)
        for p in qa_pairs(make_world())[:48:6]
    ]
    model, config, times = (
        add_lora(model, LoRAConfig()),
        GRPOConfig(max_new_tokens=32),
        {"llmft": [], "transformers": []},
    )
    for _ in range(6):
        for name, found in times.items():
            begin = time.perf_counter()
            new = write_tokens(
                model, prompts, [], tokenizer.pad_token_id, replace(config, sampler=name), 0
            )
            found.append(time.perf_counter() - begin)
    ours, theirs = (found[1:] for found in times.values())
    return dict(
        ratio=statistics.median(b / a for a, b in zip(ours, theirs)),
        tokens_per_second=sum(map(len, new)) / statistics.median(ours),
        prompt_tokens=[len(ids) for ids in prompts],
    )


def bench_rollout(rounds=3):
    "Sampled tokens a second of 64 replies, ours over transformers.generate."
    found = [measure("rollout") for _ in range(rounds)]
    return {
        "rounds": rounds,
        "prompt tokens": found[0]["prompt_tokens"],
        "tokens per second": round(statistics.median(r["tokens_per_second"] for r in found)),
        "ours over transformers.generate": round(statistics.median(r["ratio"] for r in found), 2),
    }


def one_hosted(n_dialogues=6589, n_utterances=600_000):
    "Seconds and memory of `llmft hosted prepare` on a folder of KokoroChat's size, and whether nothing got lost."
    import random
    from llmft.core import peak_memory_mb, read_jsonl
    from llmft.hosted import PARTS, prepare, validate

    n_dialogues, n_utterances = int(n_dialogues), int(n_utterances)
    with tempfile.TemporaryDirectory() as folder:
        folder, draw = Path(folder), random.Random(0)
        spoken = [
            [
                turn["utterance"]
                for line in open("data/dialogues.jsonl", encoding="utf-8")
                for turn in json.loads(line)["dialogue"]
                if turn["role"] == role
            ]
            for role in ("client", "counselor")
        ]
        (folder / "data").mkdir()
        for k in range(n_dialogues):
            n = n_utterances * (k + 1) // n_dialogues - n_utterances * k // n_dialogues
            roles = [
                "counselor",
                "client",
                *draw.choices(("client", "counselor"), k=n - 4),
                "client",
                "counselor",
            ]
            turns = [
                dict(
                    role=role,
                    utterance=draw.choice(spoken[role == "counselor"]),
                    time="2026-04-01 10:00:00",
                )
                for role in roles
            ]
            if k % 10 == 0:
                turns[2]["utterance"] = f"連絡先は090-1234-{k % 10000:04}です。"
            (folder / "data" / f"{k:05}.json").write_text(
                json.dumps(
                    dict(dialogue=turns, topic="仕事", review_by_client_jp={}), ensure_ascii=False
                ),
                encoding="utf-8",
            )
        begin = time.perf_counter()
        report = prepare(str(folder / "data"), str(folder / "run"))
        seconds, peak, counts = time.perf_counter() - begin, peak_memory_mb(), report["counts"]
        lost = counts["utterances"] - sum(
            counts.get(key, 0) for key in ("kept", "blank", "cut_begin", "cut_end")
        )
        in_turn = all(
            [m["role"] for m in line["messages"]]
            == ["user", "assistant"] * (len(line["messages"]) // 2)
            for part in PARTS
            for line in read_jsonl(folder / "run" / report["files"][part])
        )
        begin = time.perf_counter()
        validate(str(folder / "run"))
        return dict(
            utterances=counts["utterances"],
            seconds=round(seconds, 1),
            peak_mb=round(peak),
            lost=lost,
            alternate=in_turn,
            split=report["n"],
            counts=counts,
            validate_seconds=round(time.perf_counter() - begin, 1),
        )


def bench_hosted():
    return measure("hosted")


def bench_server(times=5):
    "Kill the hosted server, or its job, with SIGKILL in mid-job, five times; then a disk that is full for the job. Compare with `llmft sft`."
    import openai
    from llmft.core import read_json, read_jsonl, write_jsonl
    from llmft.finetuning import SFTConfig, sft
    from llmft.world import make_world, qa_pairs

    key = os.environ["LLMFT_SERVER_KEY"] = "bench-" + "k" * 20
    full = "import os, resource; os.path.exists(sys.argv[1] + '/../../full') and resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
    code = (
        "import llmft.server as s; from functools import partial; "
        f"s.create_app = partial(s.create_app, code=s.JOB.replace('import sys; ', 'import sys; ' + {full!r})); "
        "s.serve({!r}, {}, config=s.ServerConfig(save_every=10, retry_after=1))"
    )
    with tempfile.TemporaryDirectory() as folder:
        folder, kills = Path(folder), []

        def start(port=0):
            process = subprocess.Popen(
                [sys.executable, "-c", code.format(str(folder / "s"), port)],
                stdout=subprocess.PIPE,
                stderr=open(folder / "log", "ab"),
                text=True,
            )
            return process, process.stdout.readline().strip()

        turns = lambda pair: [
            dict(role="user", content=pair["prompt"]),
            dict(role="assistant", content=pair["completion"]),
        ]
        data = write_jsonl(
            folder / "data.jsonl",
            [dict(messages=turns(pair)) for pair in qa_pairs(make_world())[:200]],
        )
        process, url = start()
        client = openai.OpenAI(base_url=url, api_key=key, max_retries=8)
        file = client.files.create(file=open(data, "rb"), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model="base",
            training_file=file.id,
            seed=1,
            hyperparameters=dict(n_epochs=10, batch_size=16),
        )
        work = folder / "s" / "jobs" / job.id

        def step():
            return max(
                (
                    event.data["step"]
                    for event in client.fine_tuning.jobs.list_events(job.id, limit=9)
                    if event.type == "metrics"
                ),
                default=0,
            )

        for k, at in enumerate(sorted(random.Random(0).sample(range(12, 110), times))):
            while step() < at:
                time.sleep(0.05)
            kills.append(f"{'job' if k % 2 else 'server'} at step {step()}")
            os.kill(
                read_jsonl(work / "starts.jsonl")[-1]["pid"] if k % 2 else process.pid,
                signal.SIGKILL,
            )
            if k % 2 == 0:
                process.wait()
                process, _ = start(int(url.split(":")[2].split("/")[0]))
        (
            folder / "s" / "full"
        ).touch()  # from the next start on, no file of the job may grow beyond 200 kB
        os.kill(read_jsonl(work / "starts.jsonl")[-1]["pid"], signal.SIGKILL)
        while not any(
            "no space" in event.message for event in client.fine_tuning.jobs.list_events(job.id)
        ):
            time.sleep(0.2)
        (folder / "s" / "full").unlink()
        while (status := client.fine_tuning.jobs.retrieve(job.id).status) not in (
            "succeeded",
            "failed",
        ):
            time.sleep(0.2)
        events = [event for event in client.fine_tuning.jobs.list_events(job.id, limit=100)][::-1]
        process.send_signal(signal.SIGINT)
        process.wait()
        alone = read_jsonl(
            sft(
                str(data),
                out=str(folder / "alone"),
                config=SFTConfig(**read_json(work / "job.json")["sft"]),
            )
            / "log.jsonl"
        )
        told = [
            (event.data["step"], event.data["train_loss"])
            for event in events
            if event.type == "metrics"
        ]
        leaked = [
            path.name
            for path in folder.rglob("*")
            if path.is_file() and key.encode() in path.read_bytes()
        ]
    return {
        "killed": kills,
        "status": status,
        "starts": [event.message for event in events if "goes on from step" in event.message],
        "disk full": "waited, then went on",
        "every step told once": [n for n, _ in told] == [*range(1, len(alone) + 1)],
        "largest difference to llmft sft": max(
            abs(loss - record["loss"]) for (_, loss), record in zip(told, alone)
        ),
        "files with the key": leaked,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(globals()[f"one_{sys.argv[2]}"](*sys.argv[3:])))
    else:
        from llmft.core import read_json, write_results

        known = [
            name.removeprefix("bench_") for name in list(globals()) if name.startswith("bench_")
        ]
        names = sys.argv[1:] or known
        if unknown := set(names) - set(known):
            sys.exit(f"no measurement {', '.join(unknown)}; there are {', '.join(known)}")
        path = Path(__file__).parent.parent / "data" / "results" / "bench.json"
        figures = read_json(path)["figures"] if path.exists() else {}
        for name in names:
            print(f"{name} …", flush=True)
            figures[name] = globals()[f"bench_{name}"]()
            for key, value in figures[name].items():
                print(f"    {key}: {value}", flush=True)
            write_results("bench", figures, seeds=[0], root=path.parent.parent.parent)
