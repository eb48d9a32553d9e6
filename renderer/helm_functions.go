package main

import (
	"fmt"
	"reflect"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// maxItems bounds the lists and texts that a template makes from a number alone.
const (
	maxItems = 1_000_000
	maxText  = 16 << 20
)

// unsteady are functions whose result differs at every rendering.
var unsteady = []string{
	"randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "shuffle", "uuidv4", "now", "ago",
	"genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
	"genSignedCertWithKey", "bcrypt", "htpasswd", "encryptAES",
}

// templateFunctions replaces those of Helm's functions that reach out, and those that would make a text or a list of any
// size; it tells which of the unsteady ones are used.
func (j *job) templateFunctions() template.FuncMap {
	ours := template.FuncMap{
		"lookup": func(apiVersion, kind, namespace, name string) (map[string]any, error) {
			what := strings.TrimSpace(kind + " " + strings.Trim(namespace+"/"+name, "/"))
			if j.private && !(j.inGit(kind) && j.inGit(namespace) && j.inGit(name)) {
				what = "an object" // each may be a value from a Secret
			}
			j.note(fmt.Sprintf("A template looks up %s in the cluster; Nopea renders without one, so it finds nothing.", what))
			return map[string]any{}, j.checkTime()
		},
		"until": func(count int) ([]int, error) {
			return untilStep(0, count, sign(count))
		},
		"untilStep": untilStep,
		"repeat": func(count int, text string) (string, error) {
			if err := bound(count, len(text)); err != nil {
				return "", err
			}
			return strings.Repeat(text, max(count, 0)), j.checkTime()
		},
		"indent": func(spaces int, text string) (string, error) {
			return indent(spaces, text)
		},
		"nindent": func(spaces int, text string) (string, error) {
			indented, err := indent(spaces, text)
			return "\n" + indented, err
		},
	}
	standard := sprig.TxtFuncMap()
	if sequence, ok := standard["seq"].(func(...int) string); ok {
		ours["seq"] = func(numbers ...int) (string, error) {
			for _, number := range numbers {
				if err := bound(max(number, -number), 1); err != nil {
					return "", err
				}
			}
			return sequence(numbers...), j.checkTime()
		}
	}
	for _, name := range unsteady {
		if function := reflect.ValueOf(standard[name]); function.IsValid() {
			ours[name] = j.told(name, function)
		}
	}
	return ours
}

// told returns a function that writes down that it was called, and that takes no length over maxItems.
func (j *job) told(name string, function reflect.Value) any {
	return reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
		j.unsteady[name] = true
		if function.Type().IsVariadic() {
			return function.CallSlice(arguments)
		}
		for i := range arguments {
			if name != "randInt" && arguments[i].CanInt() && arguments[i].Int() > maxItems {
				panic(tooLong())
			}
		}
		return function.Call(arguments)
	}).Interface()
}

func sign(number int) int {
	if number < 0 {
		return -1
	}
	return 1
}

// untilStep is sprig's, bounded.
func untilStep(start, stop, step int) ([]int, error) {
	if step == 0 || (step > 0 && stop <= start) || (step < 0 && stop >= start) {
		return []int{}, nil
	}
	if count := (stop - start) / step; count > maxItems || count < 0 {
		return nil, tooLong()
	}
	result := []int{}
	for i := start; (step > 0 && i < stop) || (step < 0 && i > stop); i += step {
		result = append(result, i)
	}
	return result, nil
}

func indent(spaces int, text string) (string, error) {
	if err := bound(spaces, strings.Count(text, "\n")+1); err != nil {
		return "", err
	}
	pad := strings.Repeat(" ", max(spaces, 0))
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad), nil
}

func bound(count, size int) error {
	if count > maxText || size > maxText || count*size > maxText {
		return tooLong()
	}
	return nil
}

func tooLong() error {
	return newProblem(kindTooBig, "A template makes a list of more than %d items or a text of more than %d bytes.", maxItems, maxText)
}
