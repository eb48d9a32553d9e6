package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The kinds of problems; the parent turns each into an error code with the next step.
const (
	kindInvalidKustomization   = "invalid_kustomization"
	kindMissingFile            = "missing_file"
	kindCycle                  = "cycle"
	kindPatchNoMatch           = "patch_no_match"
	kindDuplicateID            = "duplicate_id"
	kindRemote                 = "remote"
	kindPlugin                 = "plugin"
	kindOutside                = "outside"
	kindInvalidResource        = "invalid_resource"
	kindGeneratorTooBig        = "generator_too_big"
	kindInvalidChart           = "invalid_chart"
	kindMissingDependency      = "missing_dependency"
	kindIncompatibleKubernetes = "incompatible_kubernetes"
	kindInvalidValues          = "invalid_values"
	kindValuesSchema           = "values_schema"
	kindTemplate               = "template"
	kindNotYAML                = "not_yaml"
	kindNoValuesFile           = "no_values_file"
	kindEncrypted              = "encrypted"
	kindLFSPointer             = "lfs_pointer"
	kindNoKey                  = "no_key"
	kindKeyNotAsked            = "key_not_asked"
	kindBadMAC                 = "bad_mac"
	kindBadKey                 = "bad_key"
	kindBadEncryptedFile       = "bad_encrypted_file"
	kindVariableUnset          = "variable_unset"
	kindBadSubstitution        = "bad_substitution"
	kindTooManyDocuments       = "too_many_documents"
	kindTooBig                 = "too_big"
	kindInvalidIndex           = "invalid_index"
	kindNoChart                = "no_chart"
	kindTimeout                = "timeout"
	kindBug                    = "bug"
)

// maxDetail bounds what is quoted of a library's text.
const maxDetail = 500

// problem is an error of the user's input: its kind, one sentence, the file and line to edit, the library's own words,
// and facts by name. withoutSecrets takes decrypted values out of it.
type problem struct {
	kind    string
	message string
	file    string
	line    int
	detail  string
	facts   map[string]any
	// what the message was made of, so that secrets can be taken out of it
	format    string
	arguments []any
}

func newProblem(kind, format string, arguments ...any) *problem {
	return &problem{kind: kind, message: fmt.Sprintf(format, arguments...), format: format, arguments: arguments}
}

func (p *problem) Error() string { return p.kind + ": " + p.message }

func (p *problem) in(file string) *problem {
	p.file = file
	return p
}

func (p *problem) at(line int) *problem {
	p.line = line
	return p
}

func (p *problem) with(name string, value any) *problem {
	if p.facts == nil {
		p.facts = map[string]any{}
	}
	p.facts[name] = value
	return p
}

// because quotes the library's error, cut to maxDetail bytes.
func (p *problem) because(err error) *problem {
	p.detail = cut(err.Error())
	return p
}

func cut(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail-len("…")], "") + "…"
	}
	return text
}

func (p *problem) encoded() map[string]any {
	result := map[string]any{}
	maps.Copy(result, p.facts)
	result["kind"], result["message"], result["file"] = p.kind, p.message, p.file
	result["line"], result["detail"] = p.line, p.detail
	return result
}

// problems are several of one request, in the order of the files; never empty.
type problems []*problem

func (p problems) Error() string { return p[0].Error() }

// maxProblems bounds an answer; whoever has more mends these first.
const maxProblems = 100

// needError names files and folders that must be given, what must be fetched and what must be opened, for an answer.
type needError struct {
	paths    []string
	items    []fetchItem
	openings []opening
}

func (n needError) Error() string {
	return fmt.Sprintf("needs %d paths, %d items and %d keys", len(n.paths), len(n.items), len(n.openings))
}

func (n needError) encoded() map[string]any {
	result := map[string]any{}
	if len(n.paths) > 0 {
		result["need"] = n.paths
	}
	if len(n.items) > 0 {
		result["fetch"] = n.items
	}
	if len(n.openings) > 0 {
		result["open"] = n.openings
	}
	return result
}

// errWanted ends a step whose files must be asked for; the job knows which.
var errWanted = errors.New("something must be asked for")

// answerError turns what render returned into the fields of the answer.
func answerError(err error) map[string]any {
	var needs needError
	var several problems
	var one *problem
	switch {
	case errors.As(err, &needs):
		return needs.encoded()
	case errors.As(err, &several):
		several = several[:min(len(several), maxProblems)]
		encoded := make([]map[string]any, len(several))
		for i, each := range several {
			encoded[i] = each.encoded()
		}
		return map[string]any{"err": encoded[0], "errors": encoded}
	case errors.As(err, &one):
		return map[string]any{"err": one.encoded()}
	default:
		bug := newProblem(kindBug, "The renderer failed in a way that it does not know.").because(err)
		return map[string]any{"err": bug.encoded()}
	}
}

// withoutSecrets drops, where secrets are among the inputs, what does not stand in a file as it is in Git: the reason that
// a chart's author wrote is kept, a value that it quotes is not.
func (j *job) withoutSecrets(err error) error {
	if !j.private {
		return err
	}
	var several problems
	var one *problem
	switch {
	case errors.As(err, &several):
	case errors.As(err, &one):
		several = problems{one}
	default:
		return newProblem(kindBug, "The renderer failed in a way that it does not know.")
	}
	for _, each := range several {
		if each.detail != "" && !j.inGit(each.detail) {
			each.detail = ""
		}
		arguments := make([]any, len(each.arguments))
		for i, argument := range each.arguments {
			if text, isText := argument.(string); isText && !j.mayBeTold(text) {
				argument = "…"
			}
			arguments[i] = argument
		}
		each.message = fmt.Sprintf(each.format, arguments...)
		maps.DeleteFunc(each.facts, func(_ string, fact any) bool { return !j.isTellable(fact) })
	}
	return err
}

// mayBeTold reports whether a text stands in a file as it is in Git, or is the path of one.
func (j *job) mayBeTold(text string) bool {
	if j.inGit(text) {
		return true
	}
	for name := range j.Files {
		if name == text || strings.HasPrefix(name, text+"/") {
			return true
		}
	}
	return false
}

// isTellable reports whether a fact holds no text that may not be told.
func (j *job) isTellable(fact any) bool {
	switch value := fact.(type) {
	case string:
		return j.mayBeTold(value)
	case []string:
		return !slices.ContainsFunc(value, func(text string) bool { return !j.mayBeTold(text) })
	default:
		return true
	}
}

// inGit reports whether a text stands in a file that is not from a Secret; a fetched archive is as public as Git.
func (j *job) inGit(text string) bool {
	for name, content := range j.Files {
		if !isFromSecret(name) && bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	for _, files := range j.packed {
		for _, content := range files {
			if bytes.Contains(content, []byte(text)) {
				return true
			}
		}
	}
	return false
}
