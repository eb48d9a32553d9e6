"""From the objects of Flux and Argo CD to GitRepositories of Nopea."""
