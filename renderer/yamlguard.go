package main

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// The limits of a YAML file, the same as those of plain manifests in src/nopea/core/manifests/yaml.
const (
	maxDepth    = 200
	maxExpanded = 1 << 20 // nodes after aliases are replaced by what they stand for
)

// checkYAML refuses what would cost Kustomize or Helm the process: aliases that contain themselves overflow the stack,
// which Go cannot recover from, and nested aliases ("billion laughs") use up memory. What is not YAML passes: it may be
// any file of a generator.
func checkYAML(content []byte) *problem {
	if !bytes.ContainsRune(content, '*') && !mayBeDeep(content) {
		return nil
	}
	whole := string(content)
	// Kustomize splits documents by lines before it parses them, Helm's parser splits them itself.
	for _, text := range append([]string{whole}, strings.Split("\n"+whole, "\n---")...) {
		decoder := yaml.NewDecoder(strings.NewReader(text))
		for {
			var node yaml.Node
			if err := decoder.Decode(&node); errors.Is(err, io.EOF) || err != nil {
				break
			}
			guard := newYAMLGuard()
			if guard.size(&node, 0); guard.failed != nil {
				return guard.failed
			}
		}
	}
	return nil
}

// mayBeDeep says whether nesting could reach maxDepth: brackets, or lines that are indented that far.
func mayBeDeep(content []byte) bool {
	return bytes.Count(content, []byte("{"))+bytes.Count(content, []byte("[")) > maxDepth/2 ||
		bytes.Contains(content, bytes.Repeat([]byte(" "), maxDepth/2)) || bytes.Contains(content, bytes.Repeat([]byte("- "), maxDepth/2))
}

type yamlGuard struct {
	sizes    map[*yaml.Node]int  // after expansion
	expanded map[*yaml.Node]bool // whether an alias is anywhere in it
	open     map[*yaml.Node]bool
	failed   *problem
}

func newYAMLGuard() *yamlGuard {
	return &yamlGuard{sizes: map[*yaml.Node]int{}, expanded: map[*yaml.Node]bool{}, open: map[*yaml.Node]bool{}}
}

// size returns how many nodes a node is when its aliases are expanded.
func (g *yamlGuard) size(node *yaml.Node, depth int) int {
	if known, done := g.sizes[node]; done {
		return known
	}
	switch {
	case g.open[node]:
		g.failed = newProblem(kindInvalidResource, "A YAML alias contains itself.").at(node.Line)
	case depth > maxDepth:
		g.failed = newProblem(kindInvalidResource, "The YAML is nested more than %d levels deep.", maxDepth).at(node.Line)
	}
	if g.failed != nil {
		return 0
	}
	g.open[node] = true
	total := 1
	if node.Kind == yaml.AliasNode {
		total += g.size(node.Alias, depth+1)
		g.expanded[node] = true
	}
	for _, child := range node.Content {
		total = min(total+g.size(child, depth+1), 1<<40)
		g.expanded[node] = g.expanded[node] || g.expanded[child]
	}
	delete(g.open, node)
	g.sizes[node] = total
	// A plain big file is not a bomb.
	if total > maxExpanded && node.Kind != yaml.DocumentNode && g.failed == nil && g.expanded[node] {
		g.failed = newProblem(kindInvalidResource, "The YAML expands to more than %d values through its aliases.", maxExpanded).at(node.Line)
	}
	return total
}
