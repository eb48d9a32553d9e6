package main

import (
	"bytes"
	"path"
	"regexp"
	"strings"
)

// shown is a path as a person reads it.
func shown(name string) string {
	if name == "" {
		return "the repository's root"
	}
	return name
}

// folders are paths of folders as a reference in a kustomization names them.
func folders(names []string) []string {
	result := make([]string, len(names))
	for i, name := range names {
		result[i] = path.Join(name, ".")
	}
	return result
}

// lineOf returns the first line that holds a text, from 1; 0 where none does.
func lineOf(content []byte, text string) int {
	text, _, _ = strings.Cut(text, "\n")
	if at := bytes.Index(content, []byte(text)); text != "" && at >= 0 {
		return 1 + bytes.Count(content[:at], []byte("\n"))
	}
	return 0
}

var lineInText = regexp.MustCompile(`\bline (\d+)\b`)

// lineIn returns the line that a parser's error names, or 0.
func lineIn(err error) int {
	found := lineInText.FindStringSubmatch(err.Error())
	if found == nil {
		return 0
	}
	line := 0
	for _, digit := range found[1] {
		line = min(line*10+int(digit-'0'), 1<<30)
	}
	return line
}
