"""scores.json of a run that was evaluated on tasks, small enough to work out by hand; and a large
one whose statistics are those of `finetune.evaluation.statistics`."""

import random

from finetune.evaluation.statistics import compare, mean_interval, pass_at_k

HOSTILE = (
    "</pre></script><script>document.title='owned'</script>"
    "<img src=x onerror=document.title='owned'>"
)
SETTINGS = {"temperature": 0.2, "top_p": 0.95, "max_new_tokens": 512, "stops": ["\nclass", "\ndef"]}


def side(score, interval, **more):
    return {"pass@1": score, "interval": interval, "problems": 4, "samples": 2, **more}


def small_task(**changes):
    """Four problems, two samples each: two won, one lost, one alike. Within chance."""
    return {
        "metric": "pass@1",
        "base": side(0.25, [0.0, 0.5], settings=SETTINGS, **{"pass@2": 0.5}),
        "tuned": side(0.375, [0.125, 0.75], settings=SETTINGS, **{"pass@2": 0.75}),
        "comparison": {
            "difference": 0.125,
            "interval": [-0.25, 0.5],
            "p_value": 0.75,
            "wins": 2,
            "losses": 1,
        },
        "by_problem": {"T/0": [0, 1], "T/1": [2, 1], "T/2": [0, 1], "T/3": [0, 0]},
        "examples": [
            example("T/0", "return a + b\n", "passed", "return a - b\n"),
            example("T/1", HOSTILE, "failed", HOSTILE),
            example(
                "T/2", "a\x1b[31mred\x1b[0m \u202egnp.exe\u202c\u200b", "timed out", "x" * 9000
            ),
        ],
        **changes,
    }


def example(id_, tuned, verdict, base):
    return {
        "id": id_,
        "prompt": 'def f(a, b):\n    """Add two numbers."""\n',
        "base": {"completion": base, "verdict": "failed", "detail": "AssertionError: 3 != 5"},
        "tuned": {"completion": tuned, "verdict": verdict, "detail": ""},
    }


def proven(low=0.04, high=0.14, difference=0.09, p_value=0.002):
    return {
        "difference": difference,
        "interval": [low, high],
        "p_value": p_value,
        "wins": 30,
        "losses": 9,
    }


def drawn_task(name, problems, samples, lift, seed=0, **more):
    """`problems` of differing hardness, tried by a base and by one better by `lift`."""
    draw = random.Random(seed)
    ids = [f"{name}/{n}" for n in range(problems)]
    ease = [min(0.98, max(0.0, draw.betavariate(0.3, 1.2))) for _ in ids]
    base = [sum(draw.random() < e for _ in range(samples)) for e in ease]
    tuned = [sum(draw.random() < min(1, e + lift) for _ in range(samples)) for e in ease]
    found = compare(base, tuned, samples, ids)
    return {
        "metric": "pass@1",
        "base": _drawn_side(base, samples, ids),
        "tuned": _drawn_side(tuned, samples, ids),
        "comparison": {
            "difference": found.difference,
            "interval": [found.interval.low, found.interval.high],
            "p_value": found.p_value,
            "wins": found.wins,
            "losses": found.losses,
        },
        "by_problem": {id_: [b, t] for id_, b, t in zip(ids, base, tuned, strict=True)},
        "examples": [example(id_, "return a + b\n", "passed", "return a\n") for id_ in ids[:6]],
        **more,
    }


def _drawn_side(passed, samples, ids):
    values = pass_at_k(samples, passed, 1)
    interval = mean_interval(values, ids)
    more = {"pass@10": float(pass_at_k(samples, passed, 10).mean())} if samples >= 10 else {}
    return {
        "pass@1": float(values.mean()),
        **more,
        "interval": [interval.low, interval.high],
        "problems": len(passed),
        "samples": samples,
        "settings": SETTINGS,
    }


def gaps_task(problems, before, after, seed):
    """Gaps of one kind, four in a file."""
    draw = random.Random(seed)
    ids = [f"library/file_{n // 4}.py:{10 * n + 1}" for n in range(problems)]
    origins = {id_: id_.partition(":")[0] for id_ in ids}
    base = [int(draw.random() < before) for _ in ids]
    tuned = [int(draw.random() < after) for _ in ids]
    found = compare(base, tuned, 1, list(origins.values()))
    return {
        "metric": "exact_match",
        "base": gaps_side(base, origins, 0.41),
        "tuned": gaps_side(tuned, origins, 0.52),
        "comparison": {
            "difference": found.difference,
            "interval": [found.interval.low, found.interval.high],
            "p_value": found.p_value,
            "wins": found.wins,
            "losses": found.losses,
        },
        "by_problem": {id_: [b, t] for id_, b, t in zip(ids, base, tuned, strict=True)},
        "origins": origins,
        "examples": [
            {
                **example(id_, "return total\n", "exact" if t else "different", "pass\n"),
                "truth": "return total",
                "suffix": "\n\n\ndef next_one():\n    return 1\n",
            }
            for id_, t in list(zip(ids, tuned, strict=True))[:6]
        ],
    }


def gaps_side(passed, origins, similarity):
    interval = mean_interval(pass_at_k(1, passed, 1), list(origins.values()))
    return {
        "exact_match": sum(passed) / len(passed),
        "interval": [interval.low, interval.high],
        "edit_similarity": similarity,
        "problems": len(passed),
        "settings": {"decoding": "greedy", "max_new_tokens": 48},
    }


def infilling_comparison(scores):
    """The same scores with what a run writes of infilling now."""
    kinds = {
        "line": gaps_task(100, 0.3, 0.4, 4),
        "function_body": gaps_task(80, 0.05, 0.02, 5),
    }
    infilling = {**scores["infilling"], "comparison": proven(0.1, 0.23, 0.165), "kinds": kinds}
    for name in ("base", "tuned"):
        infilling[name] = {**infilling[name], "edit_similarity": 0.61}
    return {**scores, "infilling": infilling}


def full(scores):
    """Every key that a run may write, in realistic sizes."""
    languages = ("cpp", "go", "java", "javascript", "rust")
    by_language = {
        name: {"base": 0.1 + 0.02 * n, "tuned": 0.08 + 0.03 * n, "problems": 160 + n}
        for n, name in enumerate(languages)
    }
    losses = {
        **scores["losses_by_language"],
        "cpp": {
            "base": {"left_to_right": 2.5, "psm": 2.6},
            "tuned": {"left_to_right": 2.62, "psm": 2.6},
        },
    }
    return {
        **infilling_comparison(scores),
        "losses_by_language": losses,
        "trained_languages": ["python"],
        "tasks": {
            "humaneval": drawn_task("HumanEval", 164, 20, 0.02),
            "mbpp": drawn_task("Mbpp", 500, 1, 0.10, seed=1),
            "humaneval_infilling": drawn_task("SingleLineInfilling/HumanEval", 1033, 1, -0.05, 2),
            "multipl_e": drawn_task(
                "multipl",
                800,
                1,
                0.0,
                3,
                by_language=by_language,
                not_run=[{"what": "swift", "why": "no toolchain: `swiftc` is not installed"}],
            ),
            "adversary": small_task(),
        },
        "tasks_not_run": [{"what": "humanevalpack", "why": "no such file: humanevalpack/*.jsonl"}],
        "jail": "bubblewrap 0.8.0",
    }
