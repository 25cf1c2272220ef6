"""No token of a packed block sees another document, through the very call that training makes."""

import copy
from itertools import islice

import numpy as np
import pytest
import torch

from data_formats.document import Document
from finetune.models.adapters import add_lora
from finetune.models.forward import collate, num_labels, token_losses
from finetune.models.kernels import FLASH
from finetune.models.loss_head import plain_head
from finetune.recipe.schema import Fim, Lora, Sequences
from finetune.sequences import Block, Encoder, Rule, block_stream, tokenise
from finetune.tokenizer import CodeTokenizer

LENGTH = 96
CLOSE = 1e-5
FAR = 1e-2
"""What a leak moves at the least, a thousand times more."""

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
ON_GPU = [
    pytest.param("sdpa", marks=needs_gpu),
    pytest.param("eager", marks=needs_gpu),
    *(
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not is_available(), reason=f"needs a GPU and the package {package}"
            ),
        )
        for name, (package, is_available) in FLASH.items()
    ),
]

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
        self.modules, self.device = model.modules, next(model.parameters()).device
        self.head = plain_head(model)

    def _keep(self, _, inputs):
        self.logits = inputs[0] @ self.head.weight.T  # (B, L, V)

    def __call__(self, **inputs):
        mask = {}
        if self.extra.get("attention_mask"):
            mask = {"attention_mask": torch.ones_like(inputs["input_ids"])}
        if "use_cache" in self.extra:
            inputs["use_cache"] = self.extra["use_cache"]
        hook = self.head.register_forward_pre_hook(self._keep)
        output = self.model(**inputs, **mask)
        hook.remove()
        return output


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


@pytest.fixture(scope="module")
def plain(small_model):
    return small_model()


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
def model(request, kernel, use):
    """Every model with every kernel that isolates."""
    return use(request.getfixturevalue(request.param), kernel)


@pytest.fixture(params=["plain", "adapted"])
def masked(request, use):
    """Every model with sdpa, whose masks transformers makes."""
    return use(request.getfixturevalue(request.param), "sdpa")


def blocks_of(tokenizer, count, *, isolate=True):
    sequences = Sequences(length=LENGTH, isolate_documents=isolate)
    corpus = tokenise(DOCUMENTS, Encoder(tokenizer))
    stream = block_stream(corpus, [Rule(Fim(), "all")], sequences, seed=0)
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
        torch.manual_seed(0)  # the same dropout, where there is any
        token_losses(recorder, collate(blocks, recorder.device))
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


@pytest.mark.parametrize("kernel", ["sdpa", "eager", "flash_attention_2"], indirect=True)
def test_isolation_holds_with_dropout(small_model, tokenizer, kernel, use, varlen):
    model = use(small_model(dropout=0.1).train(), kernel)
    *others, block = blocks_of(tokenizer, 2)
    assert moved(model, block, others) < CLOSE
    assert {call["dropout"] for call in varlen.calls} <= {0.1}


@pytest.mark.parametrize("attention", ON_GPU)
def test_isolation_holds_on_a_gpu(small_model, tokenizer, attention):
    dtype = torch.bfloat16 if attention.startswith("flash") else torch.float32
    model = small_model(attention=attention, dtype=dtype).to("cuda")
    *others, block = blocks_of(tokenizer, 3)
    assert moved(model, block, others) < CLOSE
    *others, block = blocks_of(tokenizer, 3, isolate=False)
    assert moved(model, block, others) > FAR


def test_without_restarting_positions_documents_see_each_other(model, tokenizer):
    for block in blocks_of(tokenizer, 2, isolate=False):
        assert moved(model, block) > FAR


def test_a_mask_of_ones_would_let_documents_see_each_other(masked, tokenizer):
    assert moved(masked, blocks_of(tokenizer, 1)[0], attention_mask=True) > FAR


def test_a_cache_would_let_documents_see_each_other(masked, tokenizer):
    assert moved(masked, blocks_of(tokenizer, 1)[0], use_cache=True) > FAR


def test_a_batch_holds_no_attention_mask(tokenizer):
    batch = collate(blocks_of(tokenizer, 2))
    names = {"input_ids", "labels", "position_ids", "bounds", "longest", "labelled"}
    assert set(batch) == names
    for name in ("input_ids", "labels", "position_ids"):
        assert batch[name].shape == (2, LENGTH)


def test_the_losses_of_a_packed_block_are_those_of_its_documents_alone(
    model, tokenizer, kernel, use
):
    for block in blocks_of(tokenizer, 2):
        with torch.inference_mode():
            use(model, kernel)
            packed = token_losses(model, collate([block]))[0]  # (L - 1,): of tokens 1 to L - 1
            use(model, "sdpa")
            for placed in block.placed:
                ids = torch.from_numpy(block.input_ids[None, placed.start : placed.end])
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
