"""Webhooks: whether a delivery is genuine, what it says, which repositories it concerns. Pure."""
