"""Venues behind the broker port, one package or module each; the paper venue among them."""
