"""Memory, time and cost of a run before it starts. No torch, no network.

Training asks `choose(request_of(...))` for what the recipe leaves open; `finetune plan` shows the
whole `outlook`.
"""

from finetune.planning.architecture import Architecture, architecture_of
from finetune.planning.bases import base_architecture
from finetune.planning.changes import changes, misfit
from finetune.planning.choice import Plan, choose
from finetune.planning.effort import flops_per_token
from finetune.planning.gpus import Machine, gpus_here, parse_gpus
from finetune.planning.host import host_memory
from finetune.planning.memory import Memory, memory_of
from finetune.planning.outlook import Outlook, as_json, outlook
from finetune.planning.request import Request, request_of
from finetune.planning.tuning import Tuning, tuning_of

__all__ = [
    "Architecture",
    "Machine",
    "Memory",
    "Outlook",
    "Plan",
    "Request",
    "Tuning",
    "architecture_of",
    "as_json",
    "base_architecture",
    "changes",
    "choose",
    "flops_per_token",
    "gpus_here",
    "host_memory",
    "memory_of",
    "misfit",
    "outlook",
    "parse_gpus",
    "request_of",
    "tuning_of",
]
