"""Decides what receivers are told, in which form and how often, and what their answers mean."""
