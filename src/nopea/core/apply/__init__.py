"""Server-side apply: field sets, projections, adoption, and what an apply leaves to other managers."""
