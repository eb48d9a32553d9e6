"""CDEvents: which events a transition causes, and their JSON. Pure; delivers nothing."""
