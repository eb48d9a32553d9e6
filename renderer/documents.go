package main

import (
	"bytes"
	"encoding/json"

	"sigs.k8s.io/yaml"
)

// parseDocuments reads the documents of a file as kubectl does: YAML as Kubernetes means it, the last of equal keys
// counts, empty documents are nothing, the items of a List are documents.
func parseDocuments(source string, texts ...string) ([]document, error) {
	var result []document
	index := 0
	for _, text := range texts {
		content, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return nil, newProblem(kindNotYAML, "Document %d of the file is not YAML once it is rendered.", index+1).
				in(source).with("document_line", lineIn(err)).because(err)
		}
		if bytes.Equal(content, []byte("null")) {
			continue
		}
		items, err := objectsOf(content)
		if err != nil {
			return nil, newProblem(kindInvalidResource, "Document %d of the file is not an object.", index+1).in(source)
		}
		for _, item := range items {
			result = append(result, document{Source: source, Index: index, JSON: item})
			index++
		}
	}
	return result, nil
}

// objectsOf returns the object, or the items of a List.
func objectsOf(content []byte) ([]json.RawMessage, error) {
	var head struct {
		Kind  string            `json:"kind"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return nil, err
	}
	if head.Kind == "List" {
		return head.Items, nil
	}
	return []json.RawMessage{content}, nil
}
