"""A small model whose attention shows, and flash attention's innermost function in plain torch."""

import shutil
from itertools import pairwise

import pytest
import torch
import transformers.modeling_flash_attention_utils as flash

from finetune.models.load import load_model
from finetune.models.scratch import make_model
from finetune.recipe.schema import ScratchModel

FLASH = ("flash_attention_2", "flash_attention_3")
KERNELS = ("sdpa", "eager", *FLASH)


@pytest.fixture(scope="session")
def small_folder(small_model, tmp_path_factory):
    """A folder of that model, its enlarged weights written out; not to be changed."""
    folder = tmp_path_factory.mktemp("small_folder") / "base"
    model = small_model()
    shutil.copytree(model.name_or_path, folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def small_base(small_folder):
    """`small_base()`: the model of that folder, in fp32."""
    return lambda: load_model(small_folder).eval()


@pytest.fixture(scope="session")
def small_model(tiny_tokenizer, tmp_path_factory):
    """`small_model(**how)`: a GPT-BigCode whose random weights are enlarged, so that attention is
    no average."""
    folder = tmp_path_factory.mktemp("small_model") / "base"
    shutil.copytree(tiny_tokenizer, folder)
    make_model(ScratchModel(layers=2, width=32, heads=2, positions=128, licence="mit"), folder)

    def load(**how):
        model = load_model(folder, **how)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() == 2 and "wpe" not in name:
                    parameter.mul_(5)
        return model.eval()

    return load


class VarlenReference:
    """What `flash_attn_varlen_func` computes, by its definition; keeps what it was given."""

    def __init__(self):
        self.calls = []

    def version_2(
        self, q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
        dropout_p=0.0, softmax_scale=None, causal=False,
    ):  # fmt: skip
        """Attention of each query head inside each interval. q is (T, H, D), k and v (T, 1, D)."""
        assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
        assert causal
        bounds = cu_seqlens_q.tolist()
        assert cu_seqlens_k.tolist() == bounds
        assert (bounds[0], bounds[-1]) == (0, len(q))
        lengths = [end - start for start, end in pairwise(bounds)]
        assert type(max_seqlen_q) is int
        assert max_seqlen_q == max_seqlen_k == max(lengths)
        self.calls.append({"bounds": bounds, "dropout": dropout_p})
        parts = zip(q.split(lengths), k.split(lengths), v.split(lengths), strict=True)
        return torch.cat([_attend(*part, softmax_scale, dropout_p) for part in parts])

    def version_3(
        self, q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
        softmax_scale=None, causal=False,
    ):  # fmt: skip
        """The same; version 3 has no dropout."""
        return self.version_2(
            q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
            softmax_scale=softmax_scale, causal=causal,
        )  # fmt: skip

    def without_bounds(self, *_, **__):
        """What transformers calls where nothing says that the sequence is packed."""
        raise AssertionError("no bounds have reached flash attention: documents see each other")


def _attend(q, k, v, scale, dropout):
    scores = torch.einsum("qhd,kd->hqk", q, k[:, 0]) * scale  # (H, T, T)
    later = torch.ones(len(q), len(q), dtype=torch.bool).triu(1)
    chances = scores.masked_fill(later, float("-inf")).softmax(-1)
    chances = torch.nn.functional.dropout(chances, dropout)
    return torch.einsum("hqk,kd->qhd", chances, v[:, 0])


@pytest.fixture
def varlen(monkeypatch):
    """transformers' own flash attention, down to the one function that needs a GPU."""
    reference = VarlenReference()

    def imported(implementation, *_, **__):
        varlen = {"2": reference.version_2, "3": reference.version_3}[implementation[-1]]
        functions = (reference.without_bounds, varlen, None, None, None)
        return functions, (flash._lazy_define_process_function(varlen), None)

    monkeypatch.setattr(flash, "lazy_import_flash_attention", imported)
    return reference


@pytest.fixture(params=KERNELS)
def kernel(request, varlen):
    """Every kernel that isolates, on the CPU."""
    return request.param


@pytest.fixture
def use(monkeypatch):
    """`use(model, kernel)`: the model with that kernel, as if `load_model` had let it through."""

    def switched(model, kernel):
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        monkeypatch.setattr(inner.config, "_attn_implementation", kernel)
        return model

    return switched
