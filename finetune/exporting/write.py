"""A model's folder -> a GGUF file, one tensor in memory at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.exporting.tensors import Kind, Weight, type_of, weights_of
from finetune.exporting.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gguf import GGUFWriter

FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}


def write_gguf(
    folder: Path,
    file: Path,
    kind: Kind,
    config: dict[str, Any],
    vocabulary: Vocabulary,
    about: dict[str, str],
) -> None:
    """Write `file`. `about` holds `name` and, where known, `license`: no path of this machine."""
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFWriter, quants

    weights = list(weights_of(folder, config))
    writer = GGUFWriter(file, MODEL_ARCH_NAMES[MODEL_ARCH.STARCODER])
    _state_model(writer, kind, config, about)
    _state_tokenizer(writer, vocabulary)
    for weight in weights:
        _announce(writer, weight, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for weight in weights:
        writer.write_tensor_data(quants.quantize(weight.read(), type_of(weight, kind)))
    writer.close()


def _state_model(
    writer: "GGUFWriter", kind: Kind, config: dict[str, Any], about: dict[str, str]
) -> None:
    from gguf import GGML_QUANT_VERSION, LlamaFileType

    writer.add_name(about["name"])
    if "license" in about:
        writer.add_license(about["license"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(config.get("n_inner") or 4 * config["n_embd"])
    writer.add_block_count(config["n_layer"])
    writer.add_head_count(config["n_head"])
    writer.add_head_count_kv(1 if config.get("multi_query", True) else config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_file_type(LlamaFileType[FILE_TYPES[kind]])
    writer.add_quantization_version(GGML_QUANT_VERSION)


def _state_tokenizer(writer: "GGUFWriter", vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.split)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.eod)
    writer.add_eos_token_id(vocabulary.eod)
    writer.add_pad_token_id(vocabulary.pad)
    writer.add_add_bos_token(False)
    for name, id_ in vocabulary.fim.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", id_)


def _announce(writer: "GGUFWriter", weight: Weight, kind: Kind) -> None:
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    type_ = type_of(weight, kind)
    if type_ in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
        dtype = np.dtype(np.float32 if type_ == GGMLQuantizationType.F32 else np.float16)
        writer.add_tensor_info(
            weight.name, weight.shape, dtype, int(np.prod(weight.shape)) * dtype.itemsize
        )
        return
    shape = quants.quant_shape_to_byte_shape(weight.shape, type_)
    size = int(np.prod(shape))
    writer.add_tensor_info(weight.name, shape, np.dtype(np.uint8), size, raw_dtype=type_)
