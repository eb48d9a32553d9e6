"""Webhooks: whether a delivery is genuine, what it says, whom it concerns. Values in, values out."""
