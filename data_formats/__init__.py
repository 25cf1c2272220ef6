"""What training text looks like: documents, formats and fill-in-the-middle layouts.

Pure Python: nothing here imports torch, transformers or `finetune`.
"""
