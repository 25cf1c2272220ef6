"""Which validation was the best, and when to give up waiting for a better one."""

from dataclasses import dataclass

from finetune.recipe.schema import EarlyStopping


@dataclass
class Best:
    """The best held-out loss behind a training step so far. Every rank sees the same losses."""

    loss: float | None = None
    """Mean over the layouts, in nats per token; None before the first validation."""
    step: int = 0
    """Where it was measured."""
    num_worse: int = 0
    """Validations in a row that were no better."""

    def see(self, step: int, loss: float, min_improvement: float = 0.0) -> bool:
        """Take note of a validation; returns whether it is the best. NaN never is."""
        limit = float("inf") if self.loss is None else self.loss - min_improvement
        if not loss < limit:
            self.num_worse += 1
            return False
        self.loss, self.step, self.num_worse = loss, step, 0
        return True

    def is_given_up(self, rule: EarlyStopping | None) -> bool:
        """Whether training stops here."""
        return rule is not None and self.num_worse >= rule.patience
