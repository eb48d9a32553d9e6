package main

import (
	"errors"
	"maps"
	"slices"
)

// renderPlain passes on what the parent has parsed, after the documents of the files that it could not parse because
// they are encrypted.
func (j *job) renderPlain() ([]document, error) {
	var result []document
	var found problems
	for _, name := range slices.Sorted(maps.Keys(j.Files)) {
		content, err := j.readable(name)
		if err == nil {
			var parsed []document
			parsed, err = parseDocuments(name, splitPlain(content)...)
			result = append(result, parsed...)
		}
		if failed, ok := err.(*problem); ok {
			found = append(found, failed)
		} else if err != nil && !errors.Is(err, errWanted) {
			return nil, err
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	return append(result, j.Documents...), nil
}
