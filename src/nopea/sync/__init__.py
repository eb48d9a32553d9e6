"""One pass over a repository: fetch, render, plan, act, report."""
