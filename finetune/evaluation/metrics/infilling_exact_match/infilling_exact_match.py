"""Exact match of single-line infilling, as an `evaluate` module loadable by path.

metric = evaluate.load("finetune/evaluation/metrics/infilling_exact_match")
metric.compute(predictions=["return x "], references=["return x"])  # {"exact_match": 1.0}
"""

import datasets
import evaluate

DESCRIPTION = """Share of completions that equal the line that was taken out, both stripped of
surrounding white space (the measure of the SantaCoder infilling benchmark, arXiv 2301.03988)."""

CITATION = """@article{allal2023santacoder,
  title={SantaCoder: don't reach for the stars!},
  author={Ben Allal, Loubna and others},
  journal={arXiv preprint arXiv:2301.03988},
  year={2023}
}"""


class InfillingExactMatch(evaluate.Metric):
    """Predictions and references are one line of code each."""

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
        equal = sum(prediction.strip() == reference.strip() for prediction, reference in pairs)
        return {"exact_match": equal / len(references) if references else float("nan")}
