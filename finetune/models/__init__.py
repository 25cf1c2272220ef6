"""Models: made from scratch, loaded, given adapters, and asked for the loss of each token."""
