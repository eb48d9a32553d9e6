package main

import (
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// remotesFolder is where the parent puts what it fetched: each fetched repository or file in a folder of its own below
// it. No repository can have a folder of this name itself.
const remotesFolder = ".git/remotes/"

// remoteRoot returns the folder of the fetched repository that a path is in, or "" for the user's own. A fetched base
// must stay in it.
func remoteRoot(name string) string {
	rest, remote := strings.CutPrefix(name, remotesFolder)
	if !remote {
		return ""
	}
	root, _, _ := strings.Cut(rest, "/")
	return remotesFolder + root
}

// withLocalBases returns a kustomization that refers to what was fetched instead of to its URLs. Kustomize would go to
// the network for a URL.
func withLocalBases(content []byte, folder string, remotes map[string]string) ([]byte, error) {
	node, err := yaml.Parse(string(content))
	if err != nil {
		return nil, err
	}
	changed := false
	var visit func(*yaml.Node)
	visit = func(node *yaml.Node) {
		if given, remote := remotes[node.Value]; remote && node.Kind == yaml.ScalarNode {
			if relative, err := filepath.Rel("/"+folder, "/"+given); err == nil {
				node.Value, node.Tag, node.Style = relative, yaml.NodeTagString, 0
				changed = true
			}
		}
		for _, child := range node.Content {
			visit(child)
		}
	}
	for _, field := range []string{
		"resources", "bases", "components", "crds", "configurations", "openapi", "replacements", "patches",
		"patchesJson6902", "patchesStrategicMerge", "generators", "transformers", "validators",
	} {
		if found := node.Field(field); found != nil {
			visit(found.Value.YNode())
		}
	}
	if !changed {
		return content, nil
	}
	text, err := node.String()
	return []byte(text), err
}
