"""Fill a gap with a released model, with nothing but transformers: you can leave with your files.

python examples/use_a_release.py runs/nano-my-code/release
"""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

PREFIX = "def add(a, b):\n    return "
SUFFIX = "\n\nprint(add(1, 2))\n"


def main(folder: str) -> None:
    """Print the prefix, the model's middle in brackets, and the suffix."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    prompt = f"<fim_prefix>{PREFIX}<fim_suffix>{SUFFIX}<fim_middle>"
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    output = model.generate(**inputs, max_new_tokens=16, do_sample=False)  # (1, prompt + new)
    middle = tokenizer.decode(
        output[0, inputs["input_ids"].shape[1] :],
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
    print(f"{PREFIX}[{middle}]{SUFFIX}")


if __name__ == "__main__":
    main(sys.argv[1])
