"""The rendering port: Kustomize and Helm, run by the program `nopea-render` in sandboxed child processes."""
