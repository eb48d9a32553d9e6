package main

import (
	"crypto/rand"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	// The repository lies at mount, so that "../.." can be told from a folder of it.
	mount = "/repository"
	// top is the folder of the kustomization that spec.kustomize becomes; it lies beside the repository.
	top = "/spec.kustomize"
)

// mounts says where Kustomize finds the user's repository and what was fetched. Kustomize resolves "../.." before it asks
// for a file, so a file system cannot tell who asks. What was fetched therefore lies beside the repository and not in it,
// and all folders have names that nobody can guess: no fetched base can name a file outside of its own.
type mounts struct {
	places map[string]string // absolute folders by the roots of the tree; "" is the user's
	roots  map[string]string // the reverse
	top    string
}

func newMounts(remotes map[string]string) *mounts {
	result := &mounts{places: map[string]string{}, roots: map[string]string{}, top: top}
	result.add("", mount)
	if len(remotes) == 0 {
		return result
	}
	result = &mounts{places: map[string]string{}, roots: map[string]string{}, top: top + "-" + rand.Text()}
	result.add("", mount+"-"+rand.Text())
	for _, name := range remotes {
		if root := remoteRoot(name); result.places[root] == "" {
			result.add(root, "/fetched-"+rand.Text())
		}
	}
	return result
}

func (m *mounts) add(root, place string) { m.places[root], m.roots[place] = place, root }

// absolute returns where Kustomize finds a file or folder of the tree.
func (m *mounts) absolute(name string) string {
	root := remoteRoot(name)
	return path.Join(m.places[root], strings.TrimPrefix(name, root))
}

// name returns what the tree calls an absolute path; ok is false for what is outside of it.
func (m *mounts) name(absolute string) (name string, ok bool) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path.Clean(absolute), "/"), "/")
	root, found := m.roots["/"+first]
	if !found || namesGit(rest) {
		return "", false
	}
	return path.Join(root, rest), true
}

// relative returns how a kustomization of one folder refers to another path of the tree.
func (m *mounts) relative(folder, name string) string {
	result, err := filepath.Rel(m.absolute(folder), m.absolute(name))
	if err != nil {
		return m.absolute(name) // never for two absolute paths
	}
	return result
}

// plain takes the names that nobody can guess out of a text: they would differ from rendering to rendering.
func (m *mounts) plain(text string) string {
	if m.top == top {
		return text
	}
	names := []string{regexp.QuoteMeta(m.top[1:])}
	for _, place := range slices.Sorted(maps.Keys(m.roots)) {
		names = append(names, regexp.QuoteMeta(place[1:]))
	}
	pattern := regexp.MustCompile(`(/|(?:\.\./)+)?(` + strings.Join(names, "|") + `)`)
	return pattern.ReplaceAllStringFunc(text, func(found string) string {
		parts := pattern.FindStringSubmatch(found)
		root := m.roots["/"+parts[2]]
		switch {
		case "/"+parts[2] == m.top:
			return parts[1] + top[1:]
		case root == "":
			return parts[1] + mount[1:]
		case parts[1] == "/":
			return path.Join(mount, root)
		default:
			return root
		}
	})
}

// namesGit reports whether a path goes through a folder .git, which is not part of any repository.
func namesGit(name string) bool { return slices.Contains(strings.Split(name, "/"), ".git") }
