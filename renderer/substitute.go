package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/yaml"
)

// substituteSpec has the variables of spec.substitute and substituteFrom, merged.
type substituteSpec struct {
	Vars map[string]string `msgpack:"vars"`
}

const (
	maxNestedVariables = 50
	maxUnsetVariables  = 20 // of one document
)

var (
	variableName  = regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)
	unsetVariable = regexp.MustCompile(`^variable not set \(strict mode\): "(.*)"$`)
)

// substitute replaces variables in documents as Flux does with strict substitution: in the text of the object's YAML, so
// that a value may become a number, and only where the object does not opt out. All unset variables are named.
func (j *job) substitute(documents []document) ([]document, error) {
	if j.Substitute == nil {
		return documents, nil
	}
	values := make(map[string]string, len(j.Substitute.Vars))
	for name, value := range j.Substitute.Vars {
		if !variableName.MatchString(name) {
			return nil, newProblem(kindBadSubstitution, "%q is not the name of a variable: letters, digits and _ are allowed, a digit not first.", name).with("variable", name)
		}
		// A line break would end the value's line of YAML.
		values[name] = strings.ReplaceAll(value, "\n", "")
	}
	var found problems
	budget := j.limits.outputBytes
	for i, document := range documents {
		if err := j.checkTime(); err != nil {
			return nil, err
		}
		if !bytes.Contains(document.JSON, []byte("${")) || optsOut(document.JSON) {
			continue
		}
		content, failed := j.substituteIn(document, values, &budget)
		found = append(found, failed...)
		documents[i].JSON = content
	}
	if len(found) > 0 {
		return nil, found
	}
	return documents, nil
}

// optsOut reports whether an object has the label or annotation of Flux or Nopea that leaves it as it is.
func optsOut(content []byte) bool {
	var head struct {
		Metadata struct {
			Labels      map[string]any `json:"labels"`
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(content, &head) // what has no metadata opts out of nothing
	for _, marks := range []map[string]any{head.Metadata.Labels, head.Metadata.Annotations} {
		if marks["kustomize.toolkit.fluxcd.io/substitute"] == "disabled" || marks["nopea.io/substitute"] == "false" {
			return true
		}
	}
	return false
}

// substituteIn returns the object with its variables replaced. The budget bounds what all values together add.
func (j *job) substituteIn(document document, values map[string]string, budget *int) ([]byte, problems) {
	fail := func(kind, format string, arguments ...any) problems {
		return problems{newProblem(kind, format, arguments...).in(document.Source).with("index", document.Index)}
	}
	content, err := yaml.JSONToYAML(document.JSON)
	if err != nil {
		return nil, problems{newProblem(kindBug, "An object cannot be written as YAML.").in(document.Source)}
	}
	text := string(content)
	if nestedVariables(text) > maxNestedVariables {
		return nil, fail(kindBadSubstitution, "Variables are nested more than %d deep.", maxNestedVariables)
	}
	template, err := envsubst.Parse(text)
	if err != nil {
		return nil, fail(kindBadSubstitution, "A ${…} in the object cannot be parsed; write $${…} for the text itself.")
	}
	unset := map[string]bool{}
	var found problems
	for {
		tooMuch := false
		text, err = template.Execute(func(name string) (string, bool) {
			value, exists := values[name]
			if *budget -= len(value); *budget < 0 {
				tooMuch = true
				return "", true
			}
			return value, exists || unset[name]
		})
		if tooMuch {
			return nil, fail(kindTooBig, "Substituting variables gives more than %d bytes.", j.limits.outputBytes)
		}
		if err == nil {
			break
		}
		missing := unsetVariable.FindStringSubmatch(err.Error())
		if missing == nil || unset[missing[1]] || len(unset) >= maxUnsetVariables {
			return nil, append(found, fail(kindBadSubstitution, "A ${…} in the object cannot be replaced.")...)
		}
		unset[missing[1]] = true
		one := fail(kindVariableUnset, "The variable %s is not set.", missing[1])
		one[0].with("variable", missing[1])
		found = append(found, one...)
	}
	if len(found) > 0 {
		return nil, found
	}
	result, err := yaml.YAMLToJSON([]byte(text))
	if err != nil || !bytes.HasPrefix(result, []byte("{")) {
		// The library's text would quote the values.
		return nil, fail(kindBadSubstitution, "The object is not YAML once its variables are replaced; a value with special characters needs quotes of its own, as in \"'*.example'\".")
	}
	return result, nil
}

// nestedVariables returns how deep ${… ${…} …} goes in a text.
func nestedVariables(text string) int {
	depth, deepest := 0, 0
	for i := range len(text) {
		switch {
		case text[i] == '{' && i > 0 && text[i-1] == '$':
			depth++
			deepest = max(deepest, depth)
		case text[i] == '}' && depth > 0:
			depth--
		}
	}
	return deepest
}
