"""The APIs of Git servers: where a repository has one, and who may use it. Pure."""
