package main

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	"github.com/getsops/sops/v3/cmd/sops/common"
	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/keyservice"
)

// sopsMarkers are what a file of each format has when it is encrypted; the marker alone proves nothing.
var sopsMarkers = map[formats.Format]*regexp.Regexp{
	formats.Yaml:   regexp.MustCompile(`(?m)^sops:\s*$|^\s+"?mac"?: "?ENC\[`),
	formats.Json:   regexp.MustCompile(`"mac":\s*"ENC\[`),
	formats.Dotenv: regexp.MustCompile(`(?m)^sops_mac=ENC\[`),
	formats.Ini:    regexp.MustCompile(`(?m)^\[sops\]\s*$`),
	formats.Binary: regexp.MustCompile(`^\s*\{\s*"data":\s*"ENC\[[^"]*",\s*"sops":`),
}

// sopsFormat returns the format of an encrypted file: by its name, else by its content, because a generator's file may
// have any name. ok is false where nothing looks encrypted.
func sopsFormat(name string, content []byte) (format formats.Format, ok bool) {
	if !bytes.Contains(content, []byte("ENC[")) && !bytes.Contains(content, []byte("sops")) {
		return formats.Binary, false // most files, at the cost of no pattern
	}
	if sopsMarkers[formats.Binary].Match(content) {
		return formats.Binary, true
	}
	byName := formats.FormatForPath(name)
	for _, candidate := range []formats.Format{byName, formats.Dotenv, formats.Json, formats.Ini, formats.Yaml} {
		if candidate != formats.Binary && sopsMarkers[candidate].Match(content) {
			return candidate, true
		}
	}
	return byName, false
}

// decrypt returns a file's plaintext, or the file itself where it is not encrypted. Errors name the file and keys by
// their public names, and never quote content.
func (j *job) decrypt(name string, content []byte) ([]byte, error) {
	format, marked := sopsFormat(name, content)
	if !marked {
		return content, nil
	}
	if plain, known := j.decrypted[name]; known {
		return plain, nil
	}
	plain, err := j.decryptMarked(name, format, content)
	if err == nil {
		j.decrypted[name] = plain
	}
	return plain, err
}

func (j *job) decryptMarked(name string, format formats.Format, content []byte) ([]byte, error) {
	// A tree is walked by its aliases: one that contains itself would never end.
	if err := checkYAML(content); err != nil {
		return nil, err.in(name)
	}
	plain, err := j.decryptAs(name, format, content)
	var failed *problem
	// Documents that were encrypted one by one have a MAC each, and plain ones before them have no metadata.
	plainFirst := err == nil && bytes.Equal(plain, content)
	if format == formats.Yaml && (plainFirst || errors.As(err, &failed) && failed.kind == kindBadMAC) {
		separate, several := j.decryptSeparately(name, content)
		if several == nil || errors.Is(several, errWanted) {
			return separate, several
		}
		if plainFirst && errors.As(several, &failed) {
			err = several
		}
	}
	if errors.As(err, &failed) {
		return nil, failed.in(name)
	}
	return plain, err
}

func (j *job) decryptAs(name string, format formats.Format, content []byte) ([]byte, error) {
	store := common.StoreForFormat(format, config.NewStoresConfig())
	encrypted, err := store.LoadEncryptedFile(content)
	if errors.Is(err, sops.MetadataNotFound) {
		return content, nil
	}
	if err != nil || encrypted.Metadata.MessageAuthenticationCode == "" {
		if j.Decryption == nil {
			return content, nil // something that only looks encrypted, or what is refused as a resource later
		}
		return nil, newProblem(kindBadEncryptedFile, "The file has SOPS metadata that cannot be read.")
	}
	if j.Decryption == nil {
		return nil, newProblem(kindEncrypted, "The file is encrypted with SOPS, and the spec has no decryption.")
	}
	j.private = true
	dataKey, err := j.dataKey(name, &encrypted)
	if err != nil {
		return nil, err
	}
	cipher := aes.NewCipher()
	mac, err := encrypted.Decrypt(dataKey, cipher)
	if err != nil {
		return nil, newProblem(kindBadMAC, "A value of the file does not belong to its place or its key; it was changed after it was encrypted.")
	}
	expected, err := cipher.Decrypt(encrypted.Metadata.MessageAuthenticationCode, dataKey, encrypted.Metadata.LastModified.Format(time.RFC3339))
	if err != nil || expected != mac {
		return nil, newProblem(kindBadMAC, "The file's MAC does not match its content; it was changed after it was encrypted.")
	}
	plain, err := store.EmitPlainFile(encrypted.Branches)
	if err != nil {
		return nil, newProblem(kindBadEncryptedFile, "The decrypted file cannot be written in its format.")
	}
	return plain, nil
}

// documentStart is a line that begins another document of a file.
var documentStart = regexp.MustCompile(`(?m)^---(?:[ \t]+#.*|[ \t]*)$`)

// decryptSeparately decrypts each document of a file by its own metadata; documents without any stay.
func (j *job) decryptSeparately(name string, content []byte) ([]byte, error) {
	parts := documentStart.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), -1)
	if len(parts) < 2 {
		return nil, errors.New("one document")
	}
	var wanted error
	for i, part := range parts {
		if !sopsMarkers[formats.Yaml].MatchString(part) {
			continue
		}
		plain, err := j.decryptAs(name, formats.Yaml, []byte(part))
		if errors.Is(err, errWanted) {
			wanted = err
			continue // so that the answer asks for the keys of all documents
		}
		if err != nil {
			return nil, err
		}
		parts[i] = "\n" + strings.TrimSuffix(string(plain), "\n") + "\n"
	}
	return []byte(strings.Join(parts, "---")), wanted
}

// dataKey returns the key of a file's values, which one of the request's keys must open. Where only a key service can open
// it, the answer asks for that.
func (j *job) dataKey(file string, encrypted *sops.Tree) ([]byte, error) {
	keys, err := j.keyring()
	if err != nil {
		return nil, err
	}
	services := []keyservice.KeyServiceClient{keyservice.NewCustomLocalClient(keys)}
	dataKey, err := encrypted.Metadata.GetDataKeyWithKeyServices(services, sops.DefaultDecryptionOrder)
	if err == nil {
		return dataKey, nil
	}
	if j.askFor(file, &encrypted.Metadata, keys) {
		return nil, errWanted
	}
	names, clouds := []string{}, []string{}
	for _, group := range encrypted.Metadata.KeyGroups {
		for _, key := range group {
			names = append(names, key.ToString())
			if cloud := notAsked[key.TypeToIdentifier()]; cloud != "" && !slices.Contains(clouds, cloud) {
				clouds = append(clouds, cloud)
			}
		}
	}
	result := newProblem(kindNoKey, "None of the keys of the decryption Secret opens the file.")
	if len(clouds) > 0 {
		// Without arguments, so that no name is taken for a secret.
		text := "None of the keys of the decryption Secret opens the file; Nopea does not ask " + strings.Join(clouds, " and ") + "."
		result = &problem{kind: kindKeyNotAsked, message: text, format: text}
	}
	return nil, result.with("names", names)
}
