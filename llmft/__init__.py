"""A book that runs: build, fine-tune and judge Japanese language models.

The verbs of the book, in the order in which a model meets them. Each takes data first, then the
model, then `out`; settings are called `config`. A model is `"base"` (the one of chapter 1), a run,
a folder or file of weights, or a name on the Hub. What a run returns is its folder, which every
other verb takes, and which knows its `figures`.

    import llmft

    run = llmft.pretrain("corpus.txt", "words.model", "runs/base")  # a GPT from nothing
    print(llmft.generate("汐見町の", run))                          # let it continue a text
    tuned = llmft.sft("faq.jsonl", "base", "runs/faq")              # teach it to answer
    print(tuned.figures["loss"])
    print(llmft.ask("窓口は何時からですか。", tuned))               # ask it
    politer = llmft.dpo("pairs.jsonl", tuned, "runs/politer")       # teach it what is better
    better = llmft.grpo("questions.jsonl", tuned, "runs/better")    # let it practise
    small = llmft.distill("questions.jsonl", better, "base", "runs/small")  # let it teach another
    llmft.evaluate("choices.json", better, "runs/exam")             # four choices, with intervals
    llmft.compare("questions.jsonl", tuned, better)                 # which of the two is better?
    llmft.judge_models("questions.jsonl", (tuned, better), "qwen@http://…/v1")  # in a judge's eyes
    print(llmft.plan("Qwen/Qwen2.5-7B", gpu_gb=10))                 # will it fit on a card?
    llmft.merge(tuned, "merged")                                    # one folder for other programs
    llmft.export_model(run, "exported")                             # transformers or GGUF
    model, tokenizer = llmft.open_model(better)                     # as transformers knows models

Settings are `SFTConfig`, `GRPOConfig` and so on: `llmft.sft(data, config=llmft.SFTConfig(lr=1e-4))`.
`help(llmft.sft)` tells the options and `llmft --help` the commands. Each module is a page of the
book: `llmft.finetuning` is nbs/23_finetuning.ipynb.
"""

__version__ = "0.2.0"

# name → module; a module is imported when one of its names is first used (PEP 562)
_MODULES = {
    "tokenizer": ("train_tokenizer",),
    "gpt": ("GPTConfig",),
    "pretraining": ("pretrain", "TrainConfig"),
    "models": ("open_model", "OpenConfig", "export_model"),
    "export": ("GenerateConfig",),
    "lora": ("LoRAConfig",),
    "finetuning": ("sft", "SFTConfig"),
    "preference": ("dpo", "DPOConfig"),
    "distillation": ("distill", "DistillConfig"),
    "rl": ("grpo", "GRPOConfig"),
    "evaluation": ("evaluate", "EvalConfig"),
    "comparison": ("compare", "CompareConfig"),
    "judge": ("judge_models", "JudgeConfig"),
    "planner": ("plan", "PlanConfig"),
    "server": ("serve", "ServerConfig"),
}
_NAMES = {name: (module, name) for module, names in _MODULES.items() for name in names}
_NAMES |= {  # shorter here than in their modules
    "generate": ("models", "generate_text"),
    "ask": ("finetuning", "answer_question"),
    "merge": ("merging", "merge_run"),
}
__all__ = sorted(_NAMES)


def __getattr__(name):
    "Import a name when it is first asked for."
    if name not in _NAMES:
        raise AttributeError(f"llmft has no {name!r}; it has {', '.join(__all__)}, and modules")
    from importlib import import_module

    module, own = _NAMES[name]
    globals()[name] = getattr(import_module(f"llmft.{module}"), own)
    return globals()[name]


def __dir__():
    return sorted({*globals(), *_NAMES})
