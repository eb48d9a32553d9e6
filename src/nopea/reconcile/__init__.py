"""Makes one cluster state equal to one commit: fetch, render, observe, plan, act, report."""
