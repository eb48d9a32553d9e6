"""The whole story on one machine: a control plane, a Git repository, the controller, a few pushes."""
