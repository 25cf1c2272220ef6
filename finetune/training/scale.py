"""fp16's loss scale, of whichever engine keeps one: its value, and steps since it last changed."""

from typing import Any

Scale = dict[str, float]
"""`scale`, and `steps` without an overflow."""


def read_scale(accelerator: Any, optimizer: Any) -> Scale | None:
    """None where the loss is not scaled."""
    scaler = _of_deepspeed(optimizer)
    if scaler is not None:
        return {"scale": scaler.cur_scale, "steps": scaler.cur_iter - scaler.last_overflow_iter - 1}
    if accelerator.scaler is None:
        return None
    state = accelerator.scaler.state_dict()
    return {"scale": state["scale"], "steps": state["_growth_tracker"]}


def write_scale(accelerator: Any, optimizer: Any, stored: Scale | None) -> None:
    """Go on with a stored scale, whatever engine it is from."""
    if stored is None:
        return
    scaler = _of_deepspeed(optimizer)
    if scaler is not None:
        scaler.cur_scale = stored["scale"]
        scaler.cur_iter, scaler.last_overflow_iter = int(stored["steps"]), -1
    elif accelerator.scaler is not None:
        state = accelerator.scaler.state_dict()
        state |= {"scale": stored["scale"], "_growth_tracker": int(stored["steps"])}
        accelerator.scaler.load_state_dict(state)


def _of_deepspeed(optimizer: Any) -> Any:
    """Its dynamic scaler, if any: for other types of weights it keeps one that does nothing."""
    scaler = getattr(optimizer.optimizer, "loss_scaler", None)
    return scaler if scaler is not None and scaler.dynamic else None
