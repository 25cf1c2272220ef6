"""No token of a packed block sees another document, through the very call that training makes."""

import copy
import shutil
from itertools import islice

import numpy as np
import pytest
import torch

from data_formats.document import Document
from finetune.models.adapters import add_lora
from finetune.models.forward import collate, num_labels, token_losses
from finetune.models.load import load_model
from finetune.models.scratch import make_model
from finetune.recipe.schema import Fim, Lora, ScratchModel, Sequences
from finetune.sequences import Block, block_stream
from finetune.tokenizer import CodeTokenizer

LENGTH = 96
CLOSE = 1e-5
FAR = 1e-2
"""What a leak moves at the least, a thousand times more."""

DOCUMENTS = [
    Document(
        text=f"def f_{index}(x):\n    return x + {index}\n" * (1 + index % 2),
        path=f"{index}.py",
        repo="r",
        language="python",
    )
    for index in range(12)
]


class Recorder:
    """A model that keeps its last logits and may be called with what training never passes."""

    def __init__(self, model, **extra):
        self.model, self.extra, self.logits = model, extra, None

    def __call__(self, **inputs):
        mask = {}
        if self.extra.get("attention_mask"):
            mask = {"attention_mask": torch.ones_like(inputs["input_ids"])}
        if "use_cache" in self.extra:
            inputs["use_cache"] = self.extra["use_cache"]
        output = self.model(**inputs, **mask)
        self.logits = output.logits
        return output


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


@pytest.fixture(scope="module")
def plain(tiny_tokenizer, tmp_path_factory):
    """A small GPT-BigCode; its random weights are enlarged, so that attention is no average."""
    folder = tmp_path_factory.mktemp("isolation") / "base"
    shutil.copytree(tiny_tokenizer, folder)
    make_model(ScratchModel(layers=2, width=32, heads=2, positions=128, licence="mit"), folder)
    model = load_model(folder)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "wpe" not in name:
                parameter.mul_(5)
    return model.eval()


@pytest.fixture(scope="module")
def adapted(plain):
    """The same with adapters that do something."""
    model = add_lora(copy.deepcopy(plain), Lora(method="lora", rank=4, alpha=8), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return model.eval()


@pytest.fixture(params=["plain", "adapted"])
def model(request):
    return request.getfixturevalue(request.param)


def blocks_of(tokenizer, count, *, isolate=True):
    sequences = Sequences(length=LENGTH, isolate_documents=isolate)
    stream = block_stream(DOCUMENTS, tokenizer, Fim(), sequences, seed=0, weights=[None])
    return list(islice(stream, count))


def with_other_first_document(block: Block) -> Block:
    """The same block, every id of its first document replaced by another content id."""
    ids = block.input_ids.copy()
    end = block.placed[0].end
    ids[:end] = 19 + (ids[:end] + 57) % 250
    assert (ids[:end] != block.input_ids[:end]).all()
    return Block(ids, block.labels, block.position_ids, block.placed)


def logits_of(model, blocks, **extra):
    recorder = Recorder(model, **extra)
    with torch.inference_mode():
        token_losses(recorder, collate(blocks))
    return recorder.logits


def moved(model, block, others=(), **extra):
    """How far the logits of all documents but the first move when the first changes."""
    before = logits_of(model, [*others, block], **extra)[-1]
    after = logits_of(model, [*others, with_other_first_document(block)], **extra)[-1]
    end = block.placed[0].end
    assert float((before[:end] - after[:end]).abs().max()) > FAR  # the change is a change
    return float((before[end:] - after[end:]).abs().max())


def test_blocks_of_this_test_hold_several_documents(tokenizer):
    assert all(len(block.placed) >= 2 for block in blocks_of(tokenizer, 2))


def test_another_first_document_moves_no_logit_of_the_others(model, tokenizer):
    for block in blocks_of(tokenizer, 2):
        assert moved(model, block) < CLOSE


def test_isolation_holds_in_a_batch_of_several_blocks(model, tokenizer):
    *others, block = blocks_of(tokenizer, 4)
    assert moved(model, block, others) < CLOSE


def test_without_restarting_positions_documents_see_each_other(model, tokenizer):
    for block in blocks_of(tokenizer, 2, isolate=False):
        assert moved(model, block) > FAR


def test_a_mask_of_ones_would_let_documents_see_each_other(model, tokenizer):
    assert moved(model, blocks_of(tokenizer, 1)[0], attention_mask=True) > FAR


def test_a_cache_would_let_documents_see_each_other(model, tokenizer):
    assert moved(model, blocks_of(tokenizer, 1)[0], use_cache=True) > FAR


def test_a_batch_holds_no_attention_mask(tokenizer):
    batch = collate(blocks_of(tokenizer, 2))
    assert {name: tuple(tensor.shape) for name, tensor in batch.items()} == {
        "input_ids": (2, LENGTH),
        "labels": (2, LENGTH),
        "position_ids": (2, LENGTH),
    }


def test_the_losses_of_a_packed_block_are_those_of_its_documents_alone(model, tokenizer):
    for block in blocks_of(tokenizer, 2):
        with torch.inference_mode():
            packed = token_losses(model, collate([block]))[0]  # (L - 1,): of tokens 1 to L - 1
            for placed in block.placed:
                ids = torch.tensor([placed.segment.written.ids])
                logits = model(input_ids=ids, use_cache=False).logits[0]
                chances = logits.log_softmax(-1)
                alone = -chances[:-1].gather(1, ids[0, 1:, None])[:, 0]
                of_it = packed[placed.start : placed.end - 1]
                assert float((of_it - alone).abs().max()) < CLOSE


def test_nothing_is_lost_or_counted_twice_in_a_block_s_loss(plain, tokenizer):
    for block in blocks_of(tokenizer, 2):
        with torch.inference_mode():
            losses = token_losses(plain, collate([block]))
        counted = sum(placed.end - placed.start - 1 for placed in block.placed)
        assert int((losses > 0).sum()) == num_labels(block) == counted


def test_a_masked_label_has_no_loss(plain, tokenizer):
    (block,) = blocks_of(tokenizer, 1)
    labels = np.full_like(block.labels, -100)
    masked = Block(block.input_ids, labels, block.position_ids, block.placed)
    with torch.inference_mode():
        assert float(token_losses(plain, collate([masked])).abs().sum()) == 0.0
    assert num_labels(masked) == 0
