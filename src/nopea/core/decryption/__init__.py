"""SOPS files whose keys only a key service opens: which key, whose login, and what is said on the wire."""
