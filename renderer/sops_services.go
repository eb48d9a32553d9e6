package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/keyservice"
	"github.com/vmihailenco/msgpack/v5"
)

// Bounds of what one answer asks for; the next one asks for the rest.
const (
	maxOpenings   = 500
	maxKeys       = 64
	maxCiphertext = 16 << 10
)

// notAsked are the services that the parent does not speak to, by SOPS's names.
var notAsked = map[string]string{"hckms": "HuaweiCloud KMS"}

// wrappedKey is a data key, or a part of one, that a key service must open. The parent gives it in decryption.opened.
type wrappedKey struct {
	ID         string            `msgpack:"id"`
	Kind       string            `msgpack:"kind"` // kms, vault, gcp or azure
	ARN        string            `msgpack:"arn,omitempty"`
	Role       string            `msgpack:"role,omitempty"`
	Context    map[string]string `msgpack:"context,omitempty"`
	Resource   string            `msgpack:"resource,omitempty"`
	Address    string            `msgpack:"address,omitempty"`
	Mount      string            `msgpack:"mount,omitempty"`
	Name       string            `msgpack:"name,omitempty"`
	Version    string            `msgpack:"version,omitempty"`
	Ciphertext string            `msgpack:"ciphertext"`
}

// opening is what a file needs: so many of the groups, each opened by any of its keys.
type opening struct {
	File   string         `msgpack:"file"`
	Needed int            `msgpack:"needed"`
	Groups [][]wrappedKey `msgpack:"groups"`
}

// wrapped returns the key of a service that the parent speaks to.
func wrapped(asked *keyservice.DecryptRequest) (key wrappedKey, ok bool) {
	switch kind := asked.Key.KeyType.(type) {
	case *keyservice.Key_KmsKey:
		key = wrappedKey{Kind: "kms", ARN: kind.KmsKey.Arn, Role: kind.KmsKey.Role, Context: maps.Clone(kind.KmsKey.Context)}
	case *keyservice.Key_VaultKey:
		key = wrappedKey{Kind: "vault", Address: kind.VaultKey.VaultAddress, Mount: kind.VaultKey.EnginePath, Name: kind.VaultKey.KeyName}
	case *keyservice.Key_GcpKmsKey:
		key = wrappedKey{Kind: "gcp", Resource: kind.GcpKmsKey.ResourceId}
	case *keyservice.Key_AzureKeyvaultKey:
		key = wrappedKey{
			Kind: "azure", Address: kind.AzureKeyvaultKey.VaultUrl, Name: kind.AzureKeyvaultKey.Name, Version: kind.AzureKeyvaultKey.Version,
		}
	default:
		return key, false
	}
	key.Ciphertext = string(asked.Ciphertext)
	return key, len(key.Ciphertext) <= maxCiphertext
}

// id names a key with what it encrypted: every field counts, so that none is taken for another.
func (k wrappedKey) id() string {
	k.ID = ""
	content := bytes.Buffer{}
	encoder := msgpack.NewEncoder(&content)
	encoder.SetSortMapKeys(true)
	if err := encoder.Encode(k); err != nil {
		panic(err) // texts can be encoded
	}
	sum := sha256.Sum256(content.Bytes())
	return hex.EncodeToString(sum[:])
}

// askFor notes what the parent must open for a file. It returns false where nothing that it could open is enough.
func (j *job) askFor(file string, metadata *sops.Metadata, keys *keyring) bool {
	ask := opening{File: file, Needed: 1}
	if len(metadata.KeyGroups) > 1 {
		ask.Needed = metadata.ShamirThreshold
	}
	amount := 0
	for _, group := range metadata.KeyGroups {
		services, isOpen := keys.services(group)
		if isOpen {
			ask.Needed--
			continue
		}
		services = services[:min(len(services), maxKeys-amount)]
		amount += len(services)
		if len(services) > 0 {
			ask.Groups = append(ask.Groups, services)
		}
	}
	if ask.Needed < 1 || len(ask.Groups) < ask.Needed {
		return false
	}
	key := file + " " + ask.Groups[0][0].ID
	if !j.asked[key] && len(j.openings) < maxOpenings {
		j.asked[key] = true
		j.openings = append(j.openings, ask)
	}
	return true
}

// services returns the keys of a group that the parent could ask a service to open, unless one of its keys opens it.
func (k *keyring) services(group sops.KeyGroup) (services []wrappedKey, isOpen bool) {
	for _, master := range group {
		kind := keyservice.KeyFromMasterKey(master)
		asked := &keyservice.DecryptRequest{Ciphertext: master.EncryptedDataKey(), Key: &kind}
		if _, err := k.Decrypt(context.Background(), asked); err == nil {
			return nil, true
		}
		if key, ok := wrapped(asked); ok {
			key.ID = key.id()
			services = append(services, key)
		}
	}
	return services, false
}
