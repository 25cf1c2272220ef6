"""Runs as training leaves them, small enough to merge in a second, and ways to look at a merge."""

import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from data_formats.document import Document
from finetune.base import BaseFacts
from finetune.merging import merge as merging
from finetune.models.load import load_model
from finetune.models.measure import measuring_set
from finetune.models.tunable import tunable_model
from finetune.recipe.schema import ScratchModel, Train
from finetune.sequences import Encoder, tokenise
from finetune.tokenizer import CodeTokenizer
from finetune.training.weights import gather_trainable, save_adapter

TEXT = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n"
TINY = ScratchModel(layers=2, width=32, heads=2, positions=64, dropout=0.1, licence="mit")


def noise(model, part, size=0.5):
    """Random values of some size in every trainable weight whose name holds `part`."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and part in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * size)


def train_variant(run, lora, precision="fp32"):
    """Replace the run's adapter; the logits of the model in memory that it was saved from."""
    train = Train(tokens=1, precision=precision)
    model = tunable_model(run.base, lora, train)
    noise(model, "lora_")
    shutil.rmtree(run.adapter)
    save_adapter(model, gather_trainable(model, keep=True), run.adapter)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        return logits(model, run.base).float()


def train_with_peft(run, **settings):
    """Replace the run's adapter by one of PEFT's own making and saving."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # PEFT draws the first matrix
        model = get_peft_model(load_model(run.base), LoraConfig(task_type="CAUSAL_LM", **settings))
    noise(model, "lora_B", 0.05)
    noise(model, "trainable_tokens", 0.05)
    noise(model, "magnitude", 0.05)
    noise(model, "modules_to_save", 0.05)
    shutil.rmtree(run.adapter)
    model.save_pretrained(run.adapter)


def facts(run):
    return BaseFacts(
        folder=run.base,
        description="made from scratch",
        model_id=None,
        licence="mit",
        model_type="gpt_bigcode",
        positions=64,
        modules=frozenset(),
    )


def blocks(run):
    documents = [Document(text=TEXT * 3, path="a.py", repo="r", language="python")]
    corpus = tokenise(documents, Encoder(CodeTokenizer(run.base)))
    return measuring_set(corpus, "left_to_right", 64, 256).blocks


def merged(run, method="lora", precision="fp32", **settings):
    return merging.merge(run, facts(run), method, blocks(run), precision, **settings)


def logits(model, folder):
    ids = torch.tensor([CodeTokenizer(folder).encode(TEXT)[:60]])
    with torch.inference_mode():
        return model.eval()(input_ids=ids, use_cache=False).logits


def from_disk(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def largest(a, b):
    return float((a - b).abs().max())


def change_file(file, change):
    """Let `change` alter the tensors of a safetensors file, in place."""
    weights = {name: tensor.clone() for name, tensor in load_file(file).items()}
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def corrupt_what_is_written(monkeypatch, change):
    """Let `change` alter the saved weights before they are read again."""
    complete = merging.complete_folder

    def corrupted(folder, *others):
        complete(folder, *others)
        change_file(folder / "model.safetensors", change)

    monkeypatch.setattr(merging, "complete_folder", corrupted)
