"""Peak memory of one process, by part.

Four moments compete for the peak: the loss, when every kept activation is there; the backward pass,
when gradients grow as activations go, and with checkpointing one block's lives again; its end, when
the gradients of a tied embedding are added up; and the optimiser's step, when activations are gone
and temporaries of the step appear.
"""

from dataclasses import dataclass, fields

from finetune.planning.activations import (
    kept_bytes,
    last_block_bytes,
    shared_bytes,
    working_bytes,
)
from finetune.planning.engines import (
    bucket_bytes,
    gathered_bytes,
    sharing_of,
    step_bytes,
)
from finetune.planning.holding import MOMENTS, NF4_BYTES
from finetune.planning.request import Request

GIB = 2**30
CONTEXT = GIB * 3 // 4
"""Allowed for the CUDA context, cuBLAS and kernels; on a CPU for the interpreter and libraries.
Not part of what torch reports as allocated."""
NCCL = GIB // 2
"""Allowed for the channels of NCCL where there are several processes."""
RESERVE = 0.05
"""Share of the memory that is left free for what the allocator cannot use between tensors."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of one process at the peak, by part."""

    moment: str
    """loss, backward, embedding or step: when the peak is."""
    weights: int
    gradients: int
    masters: int
    """Copies of trained weights in fp32."""
    moments: int
    """Adam's two averages."""
    copies: int
    """Matrices in 16 bits, made by autocast."""
    activations: int
    loss: int
    communication: int
    """Buckets of gradients; weights that ZeRO-3 has gathered."""
    step: int
    """Temporaries of the optimiser's step."""
    buffers: int
    """GPT-BigCode's table of causal booleans: positions squared, 64 MiB at 8192."""
    context: int
    """An allowance, not computed: CUDA, its libraries, NCCL."""

    @property
    def total(self) -> int:
        return sum(self.parts().values())

    @property
    def allocated(self) -> int:
        """What torch reports as its peak: all but the context."""
        return self.total - self.context

    def parts(self) -> dict[str, int]:
        """By name, in order."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "moment"}


def capacity(request: Request) -> int:
    """Bytes that a plan may use: the memory without the reserve."""
    return int(request.memory * (1 - RESERVE))


def memory_of(
    request: Request, *, micro_batch: int, checkpointing: bool, accumulates: bool
) -> Memory:
    """The peak of one process. `accumulates`: whether a step has several passes, so that gradients
    are there before the first backward pass ends."""
    tokens = micro_batch * request.length
    moments = [
        _loss(request, tokens, checkpointing, accumulates),
        _backward(request, tokens, checkpointing, accumulates),
        _embedding(request, accumulates),
        _step(request),
    ]
    return max(moments, key=lambda one: one.total)


def weight_bytes(request: Request) -> int:
    """All weights of one process: frozen, quantised, trained and adapters, by their share."""
    tuning, holding = request.tuning, request.holding
    frozen = tuning.base - tuning.trained_base - tuning.quantised
    whole = frozen * holding.frozen + tuning.quantised * NF4_BYTES
    whole += tuning.trained * holding.trained
    return round(whole * sharing_of(request.zero, request.processes).weights)


def gradient_bytes(request: Request) -> int:
    """Gradients of one process once a backward pass is through."""
    share = sharing_of(request.zero, request.processes).gradients
    return round(request.tuning.trained * request.holding.gradient * share)


def _kept_gradients(request: Request, accumulates: bool) -> int:
    """Gradients that are there before a backward pass: from the passes before it, or because
    DeepSpeed keeps its buffer for them."""
    zero = request.zero
    lasting = accumulates or (zero is not None and (zero.stage == 3 or zero.fp32_gradients))
    return gradient_bytes(request) if lasting else 0


def _loss(request: Request, tokens: int, checkpointing: bool, accumulates: bool) -> Memory:
    shape, layers = request.shape, request.architecture.layers
    copies = copied_bytes(request, layers)
    kept = kept_bytes(shape, tokens, checkpointing=checkpointing) + shared_bytes(shape, tokens)
    head = request.head
    return _memory(
        request,
        "loss",
        gradients=_kept_gradients(request, accumulates),
        copies=copies,
        activations=kept,
        loss=head.kept(tokens) + head.working(tokens),
    )


def _backward(request: Request, tokens: int, checkpointing: bool, accumulates: bool) -> Memory:
    """Kept activations shrink as gradients grow, so the peak is at one end of the pass."""
    shape, layers = request.shape, request.architecture.layers
    before, after = _kept_gradients(request, accumulates), _gradients_at_the_end(request)
    after = max(before, after)
    kept = kept_bytes(shape, tokens, checkpointing=checkpointing)
    block = tokens * last_block_bytes(shape) if shape.tuning.lowest < layers else 0
    live = shared_bytes(shape, tokens) + working_bytes(shape, tokens)
    first = kept + (block if checkpointing else 0)
    at_start = first + before > block + after
    copied = 1 if checkpointing or not at_start else layers
    return _memory(
        request,
        "backward",
        gradients=before if at_start else after,
        copies=copied_bytes(request, copied),
        activations=live + (first if at_start else block),
        loss=request.head.leaving(tokens),
    )


def _gradients_at_the_end(request: Request) -> int:
    """When the activation of the first block goes backwards: all but those of the matrices that
    are still to come, which are the block's without the last."""
    whole = gradient_bytes(request)
    tuning, architecture = request.tuning, request.architecture
    if tuning.trained != tuning.base:
        return whole
    last = next(one for one in architecture.matrices if one.slot == "mlp_out")
    missing = (architecture.layer_parameters - last.size) / tuning.base
    return round(whole * (1 - missing))


def _embedding(request: Request, accumulates: bool) -> Memory:
    """A tied embedding has two gradients, one from the loss and one from below; autograd keeps the
    first until the second comes, and adds them in a third tensor, which becomes the gradient where
    none is there yet."""
    architecture, tuning = request.architecture, request.tuning
    whole = architecture.vocabulary * architecture.width * request.holding.trained
    is_shared = architecture.tied and tuning.trains_head and tuning.reaches_embeddings
    return _memory(
        request,
        "embedding",
        gradients=gradient_bytes(request),
        loss=whole * (3 if accumulates else 2) if is_shared else 0,
    )


def _step(request: Request) -> Memory:
    tuning, holding = request.tuning, request.holding
    return _memory(
        request,
        "step",
        gradients=gradient_bytes(request),
        step=step_bytes(request.zero, request.processes, tuning, holding),
    )


def copied_bytes(request: Request, blocks: int) -> int:
    """Copies in 16 bits that autocast makes of the matrices of `blocks` blocks held in fp32."""
    if not request.holding.autocast:
        return 0
    tuning, architecture = request.tuning, request.architecture
    whole = tuning.trained if tuning.has_adapters else architecture.matrix_parameters
    return 2 * whole * blocks // architecture.layers


def _memory(
    request: Request,
    moment: str,
    *,
    gradients: int,
    copies: int = 0,
    activations: int = 0,
    loss: int = 0,
    step: int = 0,
) -> Memory:
    tuning, holding, architecture = request.tuning, request.holding, request.architecture
    sharing = sharing_of(request.zero, request.processes)
    several = request.processes > 1 and request.device == "cuda"
    communication = gathered_bytes(request.zero, architecture, holding)
    if moment != "step" or request.zero is None or request.zero.stage == 3:  # 1 and 2 let go
        communication += bucket_bytes(request.zero, request.processes, tuning, holding)
    return Memory(
        moment=moment,
        weights=weight_bytes(request),
        gradients=gradients,
        masters=round(tuning.trained * holding.master * sharing.states),
        moments=round(tuning.trained * MOMENTS * sharing.states),
        copies=copies,
        activations=activations,
        loss=loss,
        communication=communication,
        step=step,
        buffers=architecture.positions**2 if architecture.has_mask_table else 0,
        context=CONTEXT + (NCCL if several else 0),
    )
