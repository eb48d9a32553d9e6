"""The custom resources of nopea.io/v1alpha1: their one model, and the CRDs generated from it."""
