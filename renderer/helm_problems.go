package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// templatePlace finds a place in a template in Helm's text: the innermost is the last one.
var templatePlace = regexp.MustCompile(`([\w.@+-]+/(?:[\w.@+ -]+/)*[\w.@+-]+):(\d+)(?::\d+)?`)

var (
	saidByChart = regexp.MustCompile(`(?s)execution error at \([^)]*\): (.*)`)
	noTemplate  = regexp.MustCompile(`no template "([^"]*)"`)
)

// explainTemplate turns an error of Helm's engine into a problem with the file and line of the template.
func (j *job) explainTemplate(err error, folder string) error {
	var known *problem
	if errors.As(err, &known) {
		return j.placed(known, err, folder)
	}
	if timeout := j.checkTime(); timeout != nil {
		return timeout
	}
	text := err.Error()
	result := newProblem(kindTemplate, "A template of the chart fails.")
	switch {
	case saidByChart.MatchString(text):
		result = newProblem(kindTemplate, "The chart refuses these values.")
		text = saidByChart.FindStringSubmatch(text)[1]
	case noTemplate.MatchString(text):
		result = newProblem(kindTemplate, "A template includes one that no file of the chart defines.")
		if name := noTemplate.FindStringSubmatch(text)[1]; !j.private || j.inGit(name) {
			result = newProblem(kindTemplate, "A template includes %q, which no file of the chart defines.", name)
		}
	case strings.Contains(text, "nested reference name") || strings.Contains(text, "exceeded maximum template depth"):
		result = newProblem(kindTemplate, "A template includes itself without end.")
	case strings.HasPrefix(text, "parse error"):
		result = newProblem(kindTemplate, "A template cannot be parsed.")
	}
	result.detail = cut(strings.NewReplacer("HELM_ERR_START", "", "HELM_ERR_END", "").Replace(text))
	return j.placed(result, err, folder)
}

// placed adds the file and line of the template that an error names.
func (j *job) placed(p *problem, err error, folder string) *problem {
	if place := firstPlace(err.Error()); place != nil {
		p.file = j.chartSource(place[1], folder)
		p.line, _ = strconv.Atoi(place[2])
	}
	return p
}

// firstPlace returns the innermost place that an error names, with the name of its template and the line.
func firstPlace(text string) []string {
	all := templatePlace.FindAllStringSubmatch(text, -1)
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(all[i][1], "templates/") {
			return all[i]
		}
	}
	return nil
}
