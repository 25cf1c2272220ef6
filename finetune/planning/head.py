"""The loss: from the last hidden states to the cross-entropy of each token.

T tokens, V the size of the vocabulary, d the width, c the bytes of a product, r of a hidden state,
C the tokens of a chunk.
"""

from dataclasses import dataclass

LOSS_CHUNK = 1024
"""Tokens whose logits exist at one time: `finetune.models.loss_head.CHUNK`."""

INDEX_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last matrix and the loss behind it."""

    vocabulary: int
    width: int
    compute: int
    """c"""
    stream: int
    """r"""
    trained: bool
    """Whether the matrix, which is the embedding where the two are tied, is trained."""
    copied: bool
    """Whether autocast copies the matrix to 16 bits."""
    chunk: int | None
    """C; None where all logits exist at once."""

    def kept(self, tokens: int) -> int:
        """Kept for the backward pass.

        Indices of labels and of their places, 16 T. In chunks: the gradient of the hidden states,
        T d c, and where the matrix is trained the hidden states, T d r, and the gradient of the
        matrix in fp32, 4 V d. With all logits: their logarithm of the softmax in fp32, 4 T V, and
        the hidden states for a trained matrix.
        """
        if self.chunk is None:
            hidden = tokens * self.width * self.compute if self.trained else 0
            return hidden + tokens * (4 * self.vocabulary + INDEX_BYTES)
        total = tokens * (self.width * self.compute + 2 * INDEX_BYTES)
        if self.trained:
            total += tokens * self.width * self.stream + 4 * self.vocabulary * self.width
        return total

    def working(self, tokens: int) -> int:
        """Beside what is kept, at the worst moment.

        In chunks: the hidden states, T d r, which are still at hand where they are not kept; the
        rows that have a label, T d c; a chunk's logits in fp32, and once more in the
        type of the products where that is another, C V (4 + c); the matrix as autocast copies it,
        V d c, and a chunk's share of its gradient, V d c. With all logits: these in their own type
        and in fp32, and the gradient, T V (8 + c), so that with what is kept it is 14 V bytes per
        token in 16 bits: 672 KiB at V = 49152.
        """
        if self.chunk is None:
            return tokens * self.vocabulary * (8 + self.compute)
        total = tokens * self.width * (self.compute + (0 if self.trained else self.stream))
        logit = 4 + self.compute if self.compute < 4 else 4
        total += min(tokens, self.chunk) * self.vocabulary * logit
        copies = int(self.copied) + int(self.trained)
        return total + copies * self.vocabulary * self.width * self.compute

    def leaving(self, tokens: int) -> int:
        """As the backward pass leaves the head: the gradient of the hidden states."""
        return tokens * self.width * self.stream
