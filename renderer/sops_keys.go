package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/keyservice"
)

// decryptionSpec has the private keys of spec.decryption's Secret: the text of *.agekey and of *.asc. Opened are data
// keys, and parts of such, that the parent had key services open, by the id of a wrappedKey.
type decryptionSpec struct {
	Age    []string          `msgpack:"age"`
	PGP    []string          `msgpack:"pgp"`
	Opened map[string][]byte `msgpack:"opened"`
}

// keyring opens data keys with the keys of one request and with no others: not those of the environment, a home folder,
// an agent or a cloud, which SOPS's own service would try.
type keyring struct {
	age    age.ParsedIdentities
	pgp    openpgp.EntityList
	opened map[string][]byte
}

// keyring returns the request's keys, parsed once.
func (j *job) keyring() (*keyring, error) {
	if j.keys != nil {
		return j.keys, nil
	}
	result := &keyring{opened: j.Decryption.Opened}
	for _, text := range j.Decryption.Age {
		if strings.Contains(strings.ToUpper(text), "AGE-PLUGIN-") {
			return nil, newProblem(kindBadKey, "A key of the decryption Secret needs an age plugin; no program is started.")
		}
		// The library's error may quote the key.
		if err := result.age.Import(text); err != nil {
			return nil, newProblem(kindBadKey, "An age key of the decryption Secret cannot be read.")
		}
	}
	for _, text := range j.Decryption.PGP {
		entities, err := openpgp.ReadArmoredKeyRing(strings.NewReader(text))
		if err != nil {
			return nil, newProblem(kindBadKey, "An OpenPGP key of the decryption Secret cannot be read.")
		}
		for _, entity := range entities {
			if entity.PrivateKey != nil && entity.PrivateKey.Encrypted {
				return nil, newProblem(kindBadKey, "An OpenPGP key of the decryption Secret has a passphrase; export it without.")
			}
		}
		result.pgp = append(result.pgp, entities...)
	}
	j.keys = result
	return result, nil
}

var errNotOurs = errors.New("no key of this kind was given")

// Decrypt implements keyservice.KeyServiceServer.
func (k *keyring) Decrypt(_ context.Context, asked *keyservice.DecryptRequest) (*keyservice.DecryptResponse, error) {
	var plain []byte
	err := errNotOurs
	switch kind := asked.Key.KeyType.(type) {
	case *keyservice.Key_AgeKey:
		if len(k.age) > 0 {
			key := age.MasterKey{Recipient: kind.AgeKey.Recipient, EncryptedKey: string(asked.Ciphertext)}
			k.age.ApplyToMasterKey(&key)
			plain, err = key.Decrypt()
		}
	case *keyservice.Key_PgpKey:
		if len(k.pgp) > 0 {
			plain, err = k.openPGP(string(asked.Ciphertext))
		}
	default:
		if key, ok := wrapped(asked); ok {
			if opened, found := k.opened[key.id()]; found {
				plain, err = opened, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return &keyservice.DecryptResponse{Plaintext: plain}, nil
}

// Encrypt implements keyservice.KeyServiceServer; a renderer never encrypts.
func (k *keyring) Encrypt(context.Context, *keyservice.EncryptRequest) (*keyservice.EncryptResponse, error) {
	return nil, errNotOurs
}

// maxDataKey bounds what a message is expanded to: a data key is 32 bytes, a part of one 33.
const maxDataKey = 1 << 10

func (k *keyring) openPGP(text string) ([]byte, error) {
	block, err := armor.Decode(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	message, err := openpgp.ReadMessage(block.Body, k.pgp, nil, nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(message.UnverifiedBody, maxDataKey))
}
