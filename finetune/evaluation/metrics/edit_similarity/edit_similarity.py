"""Edit similarity of completions, as an `evaluate` module loadable by path.

metric = evaluate.load("finetune/evaluation/metrics/edit_similarity")
metric.compute(predictions=["return y"], references=["return x"])  # {"edit_similarity": 0.875}
"""

import datasets
import evaluate

DESCRIPTION = """Mean over completions of 1 - d / max(len(prediction), len(reference)), where d is
the Levenshtein distance in characters and both are stripped of surrounding white space (RepoCoder,
arXiv 2303.12570). Two empty texts are equal."""

CITATION = """@article{zhang2023repocoder,
  title={RepoCoder: Repository-Level Code Completion Through Iterative Retrieval and Generation},
  author={Zhang, Fengji and others},
  journal={arXiv preprint arXiv:2303.12570},
  year={2023}
}"""


def distance(first: str, second: str) -> int:
    """Levenshtein distance, a column of the table at a time as the bits of two whole numbers.

    After Hyyrö (2003): `up` and `down` say where the table rises or falls by one from row to row.
    """
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for row, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << row
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    up, down, result = every, 0, len(first)
    for character in second:
        equal = places.get(character, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        right_up = down | ~(diagonal | up)
        right_down = up & diagonal
        result += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        right_down <<= 1
        up = (right_down | ~(diagonal | right_up)) & every
        down = right_up & diagonal & every
    return result


def similarity(prediction: str, reference: str) -> float:
    """From 0, nothing in common, to 1, equal."""
    first, second = prediction.strip(), reference.strip()
    longest = max(len(first), len(second))
    return 1 - distance(first, second) / longest if longest else 1.0


class EditSimilarity(evaluate.Metric):
    """Predictions and references are texts of any length."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description="predictions, references: lists of strings of equal length",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        pairs = zip(predictions, references, strict=True)
        total = sum(similarity(prediction, reference) for prediction, reference in pairs)
        return {"edit_similarity": total / len(references) if references else float("nan")}
