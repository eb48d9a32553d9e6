"""The pages as pure functions: what is known of GitRepositories in, values for templates and HTML out."""
