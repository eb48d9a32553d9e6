package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// values merges the values files in their order, and the inline values last.
func (j *job) values() (map[string]any, error) {
	result := map[string]any{}
	var missing problems
	for _, file := range j.Helm.ValuesFiles {
		name, inside := joined("", file)
		if !inside || namesGit(name) {
			return nil, newProblem(kindOutside, "The values file %s leaves the repository.", file)
		}
		switch j.files.state(name) {
		case absent, isFolder:
			missing = append(missing, newProblem(kindNoValuesFile, "The values file %s does not exist.", name).with("missing", name))
			continue
		case unknown:
			continue
		}
		content, err := j.readable(name)
		if errors.Is(err, errWanted) {
			continue
		}
		if err != nil {
			return nil, err
		}
		j.private = j.private || isFromSecret(name)
		values, err := loader.LoadValues(bytes.NewReader(content))
		if err != nil {
			return nil, newProblem(kindInvalidValues, "The values file is not YAML.").in(name).at(lineIn(err)).because(err)
		}
		result = loader.MergeMaps(result, values)
	}
	if len(missing) > 0 {
		return nil, missing
	}
	inline, err := asJSON(j.Helm.Values)
	if err != nil {
		return nil, newProblem(kindInvalidValues, "The values of the spec cannot be read.").because(err)
	}
	return loader.MergeMaps(result, inline), nil
}

// fromCluster reports whether a values file is a key of a ConfigMap or Secret: the parent names those after it.
func fromCluster(name string) bool {
	return strings.HasPrefix(name, "ConfigMap ") || isFromSecret(name)
}

// isFromSecret reports whether a values file is a key of a Secret: the parent names those after the Secret.
func isFromSecret(name string) bool { return strings.HasPrefix(name, "Secret ") }

// asJSON gives inline values the types of a values file: templates print a number as Helm does.
func asJSON(values map[string]any) (map[string]any, error) {
	content, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	result := map[string]any{}
	return result, json.Unmarshal(content, &result)
}

// checkSchemas compares the values with the values.schema.json of a chart and its dependencies, and returns every
// violation. Helm's own validation reads what a schema refers to from the disk and the network; here nothing is read:
// a part of a schema that lies elsewhere allows everything, and a note says so.
func (j *job) checkSchemas(loaded *chart.Chart, values map[string]any, folder string) error {
	found, err := j.violations(loaded, values, path.Join(folder, "values.schema.json"), "")
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

func (j *job) violations(loaded *chart.Chart, values map[string]any, file, prefix string) (problems, error) {
	var found problems
	if loaded.Schema != nil {
		schema, err := j.compileSchema(loaded.Schema)
		if err != nil {
			return nil, newProblem(kindInvalidChart, "The schema of the values of chart %s cannot be read.", loaded.Name()).in(file).because(err)
		}
		plain, err := asJSON(values)
		if err != nil {
			return nil, err
		}
		var violation *jsonschema.ValidationError
		if errors.As(schema.Validate(plain), &violation) {
			found = append(found, leaves(violation, file, prefix)...)
		}
	}
	for _, dependency := range loaded.Dependencies() {
		inner, ok := values[dependency.Name()].(map[string]any)
		if !ok {
			if tables, isValues := values[dependency.Name()].(common.Values); isValues {
				inner, ok = tables, true
			}
		}
		if !ok {
			continue
		}
		more, err := j.violations(dependency, inner, file, prefix+dependency.Name()+".")
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (j *job) compileSchema(content []byte) (compiled *jsonschema.Schema, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("%v", panicked)
		}
	}()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(unreadSchema{j})
	const name = "schema:///values.schema.json"
	if err := compiler.AddResource(name, schema); err != nil {
		return nil, err
	}
	return compiler.Compile(name)
}

// unreadSchema stands for the schemas that lie elsewhere.
type unreadSchema struct{ job *job }

func (u unreadSchema) Load(url string) (any, error) {
	u.job.note(fmt.Sprintf("The schema of the values refers to %s, which is not read: what it restricts is not checked.", cut(url)))
	return true, nil
}

// leaves returns the innermost violations, each with the path of its value.
func leaves(violation *jsonschema.ValidationError, file, prefix string) problems {
	if len(violation.Causes) == 0 {
		place := prefix + strings.Join(violation.InstanceLocation, ".")
		if place == "" {
			place = "the top"
		}
		text := violation.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		return problems{newProblem(kindValuesSchema, "The chart's schema does not allow the value at %s.", place).
			in(file).with("variable", place).because(errors.New(text))}
	}
	var result problems
	for _, cause := range violation.Causes {
		if len(result) < maxProblems {
			result = append(result, leaves(cause, file, prefix)...)
		}
	}
	return result
}
