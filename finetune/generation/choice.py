"""Logits and a random number -> the next token, each row for itself."""

from collections.abc import Sequence

import torch
from torch import Tensor

from finetune.errors import Failed


def choose(
    logits_BV: Tensor, draws: Sequence[float], temperature: float, top_p: float
) -> list[int]:
    """The next id of each row; a row's `draws`, in [0, 1), decides among the nucleus.

    The inverse of the cumulative probability, over ids in their order: sorted by probability, two
    tokens that are almost equally likely would change places with the last bit of a logit. Raises
    Failed where a logit is not a number.
    """
    if not bool(torch.isfinite(logits_BV.amax(-1)).all()):
        raise Failed(
            "the model's logits are not finite: its weights or its precision are at fault; "
            "`finetune doctor` looks at both"
        )
    if temperature == 0:
        return logits_BV.argmax(-1).tolist()  # type: ignore[no-any-return]
    chances_BV = nucleus(torch.softmax(logits_BV.double() / temperature, -1), top_p)
    sums_BV = chances_BV.cumsum(-1)
    aims_B1 = torch.tensor(draws, dtype=torch.double, device=sums_BV.device)[:, None]
    # The first sum above the aim: a draw below 1 times the whole sum, in doubles, is less than it.
    ids_B = torch.searchsorted(sums_BV, aims_B1 * sums_BV[:, -1:], right=True)[:, 0]
    return ids_B.tolist()  # type: ignore[no-any-return]


def nucleus(chances_BV: Tensor, top_p: float) -> Tensor:
    """Probabilities with those outside the nucleus at 0, not normalised again (arXiv 1904.09751).

    A token stays where those that are likelier do not reach `top_p` without it.
    """
    if top_p >= 1:
        return chances_BV
    sorted_BV, order_BV = chances_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    stays_BV = (before_BV < top_p).scatter(-1, order_BV, before_BV < top_p)
    return chances_BV * stays_BV
