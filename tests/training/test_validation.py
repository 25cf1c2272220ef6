"""Held-out losses by language: who gets how much, and that the whole is the sum of its parts."""

from data_formats.document import Document
from finetune.sequences import Encoder, tokenise
from finetune.tokenizer import CodeTokenizer
from finetune.training.validation import OTHERS, make_validation

LENGTH = 64


def corpus_of(tokenizer_folder, **num_lines):
    documents = [
        Document(
            text=f"value{n} = {n}\n" * lines, path=f"{language}{n}", repo="r", language=language
        )
        for language, lines in num_lines.items()
        for n in range(2)
    ]
    return tokenise(documents, Encoder(CodeTokenizer(tokenizer_folder)))


def sizes(validation):
    return {name: len(by["left_to_right"].blocks) for name, by in validation.sets.items()}


def test_languages_share_the_blocks_by_how_much_is_held_out(tiny_tokenizer):
    corpus = corpus_of(tiny_tokenizer, python=300, go=100)
    assert sizes(make_validation(corpus, LENGTH, 8 * LENGTH)) == {"python": 6, "go": 2}


def test_languages_too_small_for_a_block_go_together(tiny_tokenizer):
    corpus = corpus_of(tiny_tokenizer, python=300, go=10, rust=10)
    assert sizes(make_validation(corpus, LENGTH, 8 * LENGTH)) == {"python": 7, OTHERS: 1}


def test_a_single_small_language_keeps_its_name(tiny_tokenizer):
    corpus = corpus_of(tiny_tokenizer, python=300, go=10)
    assert sizes(make_validation(corpus, LENGTH, 8 * LENGTH)) == {"python": 7, "go": 1}
