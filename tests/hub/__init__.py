"""A Hub on this machine: the protocol that the stock client speaks, with faults on demand."""
