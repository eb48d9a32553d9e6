package main

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// scanIndex returns the lines about one chart and the names of all charts, without parsing the rest: the index of a big
// repository has millions of lines. Where it is not in the layout that Helm writes, there are no names.
func (j *job) scanIndex(content []byte, name string) (lines []byte, names []string, err error) {
	depth, start := 0, -1 // the indent of the charts' names, and where the lines of the chart begin
	within := false
	for at := 0; at < len(content); {
		line := content[at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		switch text = bytes.TrimRight(text, " \r\n"); {
		case len(text) == 0 || text[0] == '#':
		case !within:
			within = indent == 0 && string(text) == "entries:"
		case indent == 0:
			return lines, names, nil
		case depth == 0 || (indent == depth && text[0] != '-'):
			key, _, isKey := strings.Cut(string(text), ":")
			if !isKey || indent < depth {
				return nil, nil, nil
			}
			if err := j.checkTime(); err != nil {
				return nil, nil, err
			}
			depth, key = indent, strings.Trim(key, `"'`)
			names = append(names, key)
			start = -1
			if key == name {
				start, lines = at, content[at:at]
			}
		case indent < depth:
			return nil, nil, nil
		}
		at += len(line)
		if start >= 0 {
			lines = content[start:at]
		}
	}
	return lines, names, nil
}

// maxNear is how many names are suggested.
const maxNear = 5

// nearNames returns the names that are most like one that does not exist.
func (j *job) nearNames(name string, names []string) ([]string, error) {
	const longest = 100 // longer names are not typed by people
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, each := range names {
		if err := j.checkTime(); err != nil {
			return nil, err
		}
		if len(each) > longest || len(name) > longest {
			continue
		}
		away := distance(name, each)
		if strings.Contains(each, name) || strings.Contains(name, each) {
			away = min(away, 1)
		}
		if away <= max(2, len(name)/3) {
			near = append(near, candidate{each, away})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	result := []string{}
	for _, each := range near[:min(len(near), maxNear)] {
		result = append(result, each.name)
	}
	return result, nil
}

// distance is how many letters must be added, dropped or changed to make one text of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for k := range len(b) {
			changed := before
			if a[i] != b[k] {
				changed++
			}
			before = row[k+1]
			row[k+1] = min(changed, before+1, row[k]+1)
		}
	}
	return row[len(b)]
}
