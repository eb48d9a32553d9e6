"""A plan as people read it: what an object becomes, as lines and as Markdown. Pure."""
