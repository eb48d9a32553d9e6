package main

import (
	"regexp"
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

// remoteReference matches what Kustomize would fetch (its NewRepoSpecFromURL, and URLs of files).
var remoteReference = regexp.MustCompile(`(?i)^(git::)?((https?|ssh|file)://|([a-z][a-z0-9-]*@)|github\.com[/:])`)

// withLocalBases returns a kustomization of a folder that refers to what was fetched instead of to its URLs. Kustomize
// would go to the network for a URL.
func (m *mounts) withLocalBases(content []byte, folder string, remotes map[string]string) ([]byte, error) {
	node, err := yaml.Parse(string(content))
	if err != nil {
		return nil, err
	}
	changed := false
	for _, field := range []string{"resources", "bases", "components"} {
		found := node.Field(field)
		if found == nil {
			continue
		}
		for _, item := range found.Value.YNode().Content {
			if item.Kind == yaml.AliasNode {
				item = item.Alias
			}
			if given, fetched := remotes[item.Value]; fetched && item.Kind == yaml.ScalarNode {
				item.Value, item.Tag, item.Style = m.relative(folder, given), yaml.NodeTagString, 0
				changed = true
			}
		}
	}
	if !changed {
		return content, nil
	}
	text, err := node.String()
	return []byte(text), err
}
