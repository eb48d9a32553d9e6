package main

import (
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resource"
)

// kustomizeVersion is the release of Kustomize that has the version of its library in go.mod.
const kustomizeVersion = "v5.8.1"

// withVersion mends the label that managedByLabel of buildMetadata asks for: Kustomize as a library does not know which
// release it is, and the API server refuses the parentheses that it writes instead.
func withVersion(object *resource.Resource) error {
	labels := object.GetLabels()
	if labels[konfig.ManagedbyLabelKey] != "kustomize-(devel)" {
		return nil
	}
	labels[konfig.ManagedbyLabelKey] = "kustomize-" + kustomizeVersion
	return object.SetLabels(labels)
}
