package main

import "strings"

// maxFetches bounds what one answer asks for; the next one asks for the rest.
const maxFetches = 64

// fetchItem is something outside of the repository that a rendering needs. The parent fetches it and gives it in remotes.
type fetchItem struct {
	Kind       string `msgpack:"kind"` // base or chart
	URL        string `msgpack:"url,omitempty"`
	Repository string `msgpack:"repository,omitempty"`
	Name       string `msgpack:"name,omitempty"`
	Version    string `msgpack:"version,omitempty"`
	File       string `msgpack:"file"` // what mentions it
	Line       int    `msgpack:"line"`
}

// key is what remotes has for the item once it is fetched.
func (i fetchItem) key() string {
	if i.Kind == "base" {
		return i.URL
	}
	return strings.Join([]string{i.Repository, i.Name, i.Version}, "|")
}

// fetched returns where an item lies. Otherwise ok is false, and the answer asks for the item.
func (j *job) fetched(item fetchItem) (name string, ok bool) {
	key := item.key()
	if name, ok = j.Remotes[key]; ok {
		return name, true
	}
	if !j.asked[key] && len(j.fetches) < maxFetches {
		j.asked[key] = true
		j.fetches = append(j.fetches, item)
	}
	return "", false
}

// incomplete reports whether the parent must be asked for something.
func (j *job) incomplete() bool {
	return len(j.fetches) > 0 || len(j.openings) > 0 || len(j.files.wanted) > 0
}

// checkRemotes refuses places for what was fetched that could be taken for the user's files.
func (j *job) checkRemotes() error {
	for key, name := range j.Remotes {
		if remoteRoot(name) == "" {
			return newProblem(kindBug, "The parent put %s in %q.", key, name)
		}
	}
	return nil
}
