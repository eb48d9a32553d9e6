package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"sigs.k8s.io/yaml"
)

// parseDocuments reads the documents of a file as kubectl does: YAML as Kubernetes means it, the last of equal keys
// counts, empty documents are nothing, the items of a List are documents.
func parseDocuments(source string, texts ...string) ([]document, error) {
	var result []document
	index := 0
	for _, text := range texts {
		// A block of text at the end of a document has its line break, which whoever divides documents cuts off.
		content, err := yaml.YAMLToJSON([]byte(text + "\n"))
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

// splitPlain splits a file of manifests into its documents.
func splitPlain(content []byte) []string {
	text := strings.TrimSuffix(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
	return strings.Split("\n"+text, "\n---")
}

// maxData is what the API server takes for the data of a ConfigMap or Secret.
const maxData = 1 << 20

// textSize adds up the texts of a map.
func textSize(values map[string]any) int {
	size := 0
	for _, value := range values {
		if text, ok := value.(string); ok {
			size += len(text)
		}
	}
	return size
}

// decodedSize is at most the size of what base64 of a size stands for; Kustomize breaks its lines after 70 characters.
func decodedSize(size int) int { return size * 3 / 4 * 70 / 71 }

// checkDocuments refuses objects that must not be applied: ones that are encrypted still, and generated ones that are
// bigger than the API server takes.
func checkDocuments(documents []document) error {
	var found problems
	for _, document := range documents {
		encrypted := bytes.Contains(document.JSON, []byte(`"sops":`))
		if !encrypted && len(document.JSON) <= maxData {
			continue
		}
		var added struct {
			SOPS struct {
				MAC string `json:"mac"`
			} `json:"sops"`
		}
		var head struct {
			Kind       string         `json:"kind"`
			Data       map[string]any `json:"data"`
			BinaryData map[string]any `json:"binaryData"`
		}
		// Read apart: a field of another type must not hide the other fields. The parent says what is wrong with it.
		_, _ = json.Unmarshal(document.JSON, &added), json.Unmarshal(document.JSON, &head)
		if added.SOPS.MAC != "" {
			found = append(found, newProblem(kindEncrypted, "The object is encrypted with SOPS and was not decrypted.").in(document.Source))
		}
		size := textSize(head.Data)
		if head.Kind == "Secret" {
			size = decodedSize(size)
		}
		size += decodedSize(textSize(head.BinaryData))
		if (head.Kind == "ConfigMap" || head.Kind == "Secret") && size > maxData {
			found = append(found, newProblem(kindGeneratorTooBig, "The data of a %s has %d bytes; Kubernetes takes %d.", head.Kind, size, maxData).in(document.Source))
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}
