"""Where a message goes, and what the answer means for it: the rules that `nopea.signals` sends by."""
