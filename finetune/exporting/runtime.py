"""A GGUF file in llama.cpp itself: are ids and logits those of the merged model?"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.errors import Refused
from finetune.tokenizer import CodeTokenizer

PACKAGE = "llama_cpp"
F32_CACHE = 0
"""ggml's number of fp32, for keys and values; llama.cpp keeps them in fp16 otherwise."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """llama.cpp beside transformers, on the same ids."""

    runtime: str
    max_abs_logit_difference: float
    mean_kl_divergence: float
    """Nats per token, from the merged model to the file."""
    argmax_agreement: float
    compared_tokens: int


def is_installed() -> bool:
    """Whether llama.cpp can be asked here."""
    return find_spec(PACKAGE) is not None


def compare_in_llama_cpp(folder: Path, file: Path, texts: Sequence[str], length: int) -> Compared:
    """Logits of the file in llama.cpp beside those of the folder in transformers, both on the CPU.

    Of each text its first `length` ids. Raises Refused where llama.cpp parts a text otherwise.
    """
    from finetune.models.load import load_model

    tokenizer = CodeTokenizer(folder)
    model = load_model(folder)
    llama = _opened(file, length)
    differences, kls, same = [], [], []
    for text in texts:
        ids = _same_ids(llama, tokenizer, text, file)[:length]
        ours, theirs = _logits(model, ids), _logits_of_file(llama, ids)  # (L, V)
        differences.append(np.abs(ours - theirs).max())
        kls.append(_kl(ours, theirs))
        same.append(ours.argmax(-1) == theirs.argmax(-1))
    agreement = np.concatenate(same)
    return Compared(
        runtime=f"llama-cpp-python {version('llama-cpp-python')}",
        max_abs_logit_difference=float(np.max(differences)),
        mean_kl_divergence=float(np.concatenate(kls).mean()),
        argmax_agreement=float(agreement.mean()),
        compared_tokens=len(agreement),
    )


def _opened(file: Path, length: int) -> Any:
    from llama_cpp import Llama

    return Llama(
        model_path=str(file),
        n_ctx=length,
        n_gpu_layers=0,
        logits_all=True,
        type_k=F32_CACHE,
        type_v=F32_CACHE,
        verbose=False,
    )


def _same_ids(llama: Any, tokenizer: CodeTokenizer, text: str, file: Path) -> list[int]:
    ids = tokenizer.encode(text)
    theirs = llama.tokenize(text.encode(), add_bos=False, special=False)
    if theirs != ids:
        at = next(
            (i for i, pair in enumerate(zip(ids, theirs, strict=False)) if len({*pair}) > 1), 0
        )
        near = tokenizer.decode(ids[max(0, at - 3) : at + 3])
        raise Refused(
            f"{file.name}: llama.cpp parts a text otherwise than {tokenizer.folder}, near {near!r}"
        )
    return ids


def _logits(model: Any, ids: list[int]) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits
    return np.asarray(logits[0].float().cpu().numpy())  # (L, V)


def _logits_of_file(llama: Any, ids: list[int]) -> NDArray[np.float32]:
    llama.reset()
    llama.eval(ids)
    return np.array(llama.scores[: len(ids)])  # (L, V)


def _kl(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Per position, in nats."""
    p, q = (_log_softmax(one.astype(np.float64)) for one in (ours, theirs))
    return np.asarray((np.exp(p) * (p - q)).sum(-1))


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = logits - logits.max(-1, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(-1, keepdims=True)))
