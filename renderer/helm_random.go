package main

import (
	"fmt"
	"reflect"
	"text/template"
)

// noteUnsteady wraps the functions that give another result at every rendering, so that their use is told: what they
// make would be applied again each time that a chart is rendered.
func (j *job) noteUnsteady(ours, standard template.FuncMap) {
	for _, name := range unsteady {
		function := reflect.ValueOf(standard[name])
		if !function.IsValid() {
			continue
		}
		ours[name] = reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
			j.note(fmt.Sprintf("A template uses %s: every rendering gives another value. Give the value in the chart's values instead.", name))
			if function.Type().IsVariadic() {
				return function.CallSlice(arguments)
			}
			for i := range arguments {
				if arguments[i].CanInt() && arguments[i].Int() > maxItems {
					panic(tooLong())
				}
			}
			return function.Call(arguments)
		}).Interface()
	}
}
