"""Who runs when: the GitRepository watch, the supervisor, one worker per repository."""
