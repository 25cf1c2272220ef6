"""What training made -> plain weights that anyone can load, with proof that they are the same."""
