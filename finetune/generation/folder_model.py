"""A back end: the model of a folder, which is loaded once something is left to write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from finetune.generation.completion import Completion, Request
from finetune.generation.engine import LocalModel, positions_of
from finetune.generation.sampling import Sampling
from finetune.models.load import best_device, load_model
from finetune.run_folder import digest_of, sha256_of
from finetune.tokenizer import CodeTokenizer

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class FolderModel:
    """A model as it lies on disk. Where every completion is in its file, no weight is read but to
    tell it from others."""

    folder: Path
    precision: str = "fp32"
    """A key of `PRECISIONS`."""
    batch_size: int = 16
    trust_remote_code: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        """As that of the loaded model."""
        return {
            "backend": "transformers",
            "model": self._digest,
            "precision": str(PRECISIONS[self.precision]).removeprefix("torch."),
            "tokenizer": self.tokenizer.digest,
        }

    @cached_property
    def tokenizer(self) -> CodeTokenizer:
        return CodeTokenizer(self.folder)

    @cached_property
    def positions(self) -> int | None:
        return positions_of(
            AutoConfig.from_pretrained(self.folder, trust_remote_code=self.trust_remote_code)
        )

    @cached_property
    def model(self) -> Any:
        """The model itself, on the device that measures, in evaluation mode."""
        loaded: Any = load_model(
            self.folder,
            dtype=PRECISIONS[self.precision],
            attention=None,  # not every family has sdpa
            trust_remote_code=self.trust_remote_code,
        )
        return loaded.to(best_device()).eval()

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Completions as they are done."""
        local = LocalModel(
            model=self.model,
            tokenizer=self.tokenizer,
            name=self._digest,
            batch_size=self.batch_size,
        )
        yield from local.complete(requests, sampling)

    @cached_property
    def _digest(self) -> str:
        return digest_of([sha256_of(path) for path in sorted(self.folder.glob("*.safetensors"))])
