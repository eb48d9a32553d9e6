package main

import (
	"bytes"
	"errors"
	"maps"
	"testing"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/azkv"
	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/gcpkms"
	"github.com/getsops/sops/v3/hckms"
	"github.com/getsops/sops/v3/hcvault"
	"github.com/getsops/sops/v3/kms"
	"github.com/getsops/sops/v3/shamir"
)

func kmsKey(region string) *kms.MasterKey {
	tier := "shop"
	return &kms.MasterKey{
		Arn: "arn:aws:kms:" + region + ":111122223333:key/a1", Role: "arn:aws:iam::111122223333:role/sops",
		EncryptedKey: "AQICAHh", EncryptionContext: map[string]*string{"tier": &tier},
	}
}

func vaultKey() *hcvault.MasterKey {
	return &hcvault.MasterKey{VaultAddress: "https://vault.acme.example:8200", EnginePath: "transit", KeyName: "shop", EncryptedKey: "vault:v1:abc"}
}

func gcpKey(name string) *gcpkms.MasterKey {
	return &gcpkms.MasterKey{ResourceID: "projects/acme/locations/eu/keyRings/shop/cryptoKeys/" + name, EncryptedKey: "CiQAx"}
}

func azureKey() *azkv.MasterKey {
	return &azkv.MasterKey{VaultURL: "https://acme.vault.azure.net/", Name: "shop", Version: "0a1b", EncryptedKey: "dGVzdA"}
}

// openings returns what an answer asks for; anything else fails the test.
func openings(t *testing.T, err error) []opening {
	t.Helper()
	var needs needError
	if !errors.As(err, &needs) || len(needs.openings) == 0 {
		t.Fatalf("no key is asked for: %v", err)
	}
	return needs.openings
}

// opened answers an opening with the data key, by the first key of each group.
func opened(asked ...opening) map[string][]byte {
	result := map[string][]byte{}
	for _, each := range asked {
		for _, group := range each.Groups {
			result[group[0].ID] = dataKey
		}
	}
	return result
}

func TestAKeyOfAServiceIsAskedForAndOpensTheFile(t *testing.T) {
	for name, group := range map[string]sops.KeyGroup{"kms": {kmsKey("eu-west-1")}, "vault": {vaultKey()}, "gcp": {gcpKey("a")}, "azure": {azureKey()}} {
		files := map[string][]byte{"a.yaml": encrypt(t, formats.Yaml, secret, group)}
		_, err := renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{}})

		asked := openings(t, err)
		key := asked[0].Groups[0][0]
		if len(asked) != 1 || asked[0].File != "a.yaml" || asked[0].Needed != 1 || key.Kind != name {
			t.Fatal(asked)
		}
		if name == "kms" && (key.ARN != "arn:aws:kms:eu-west-1:111122223333:key/a1" || key.Role != "arn:aws:iam::111122223333:role/sops" ||
			key.Context["tier"] != "shop" || key.Ciphertext != "AQICAHh") {
			t.Error(key)
		}
		if name == "vault" && (key.Address != "https://vault.acme.example:8200" || key.Mount != "transit" || key.Name != "shop" || key.Ciphertext != "vault:v1:abc") {
			t.Error(key)
		}
		if name == "gcp" && (key.Resource != "projects/acme/locations/eu/keyRings/shop/cryptoKeys/a" || key.Ciphertext != "CiQAx") {
			t.Error(key)
		}
		if name == "azure" && (key.Address != "https://acme.vault.azure.net/" || key.Name != "shop" || key.Version != "0a1b" || key.Ciphertext != "dGVzdA") {
			t.Error(key)
		}
		result, err := renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{Opened: opened(asked...)}})
		check(t, err)
		if !bytes.Contains(result.Documents[0].JSON, []byte("hunter2-plain")) {
			t.Error(string(result.Documents[0].JSON))
		}
	}
}

func TestEachFieldOfAKeyTellsItFromOthers(t *testing.T) {
	seen := map[string]wrappedKey{}
	for _, key := range []wrappedKey{
		{}, {Kind: "kms"}, {ARN: "a"}, {Role: "a"}, {Address: "a"}, {Mount: "a"}, {Name: "a"}, {Version: "a"}, {Resource: "a"}, {Ciphertext: "a"},
		{Context: map[string]string{"a": "b"}}, {Context: map[string]string{"ab": ""}}, {Context: map[string]string{"a": "b", "c": "d"}},
	} {
		id := key.id()
		if other, known := seen[id]; known {
			t.Error(key, other)
		}
		seen[id] = key
		key.ID = "x"
		for range 20 {
			if key.id() != id {
				t.Fatal("the same key has another id")
			}
		}
	}
}

func TestAKeyOfTheSecretComesFirst(t *testing.T) {
	private, key := ageKey(t)
	_, err := renderFiles(&request{
		Kind: "plain", Files: map[string][]byte{"a.yaml": encrypt(t, formats.Yaml, secret, sops.KeyGroup{kmsKey("eu-west-1"), key})},
		Decryption: &decryptionSpec{Age: []string{private}},
	})
	check(t, err)
}

func TestAnyKeyOfAGroupIsEnough(t *testing.T) {
	group := sops.KeyGroup{kmsKey("eu-west-1"), kmsKey("eu-west-2"), vaultKey()}
	files := map[string][]byte{"a.yaml": encrypt(t, formats.Yaml, secret, group)}
	_, err := renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{}})
	asked := openings(t, err)
	if len(asked[0].Groups) != 1 || len(asked[0].Groups[0]) != 3 {
		t.Fatal(asked)
	}
	last := map[string][]byte{asked[0].Groups[0][2].ID: dataKey}
	_, err = renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{Opened: last}})
	check(t, err)
}

func TestGroupsAreCountedByTheThreshold(t *testing.T) {
	private, key := ageKey(t)
	stranger, _ := ageKey(t)
	groups := []sops.KeyGroup{{key}, {kmsKey("eu-west-1")}, {vaultKey()}}
	for _, attempt := range []struct {
		key                       string
		threshold, needed, groups int
	}{
		{private, 3, 2, 2}, {private, 2, 1, 2}, {stranger, 2, 2, 2}, {stranger, 3, 0, 0},
	} {
		parts, err := shamir.Split(dataKey, 3, attempt.threshold)
		check(t, err)
		for _, group := range groups[:1] {
			group[0].SetEncryptedDataKey(nil)
		}
		files := map[string][]byte{"a.yaml": encryptParts(t, formats.Yaml, secret, attempt.threshold, parts, groups...)}
		keys := &decryptionSpec{Age: []string{attempt.key}}
		_, err = renderFiles(&request{Kind: "plain", Files: files, Decryption: keys})
		if attempt.needed == 0 {
			if kind := kindOf(t, err); kind != kindNoKey {
				t.Error(kind)
			}
			continue
		}
		asked := openings(t, err)[0]
		if asked.Needed != attempt.needed || len(asked.Groups) != attempt.groups {
			t.Error(attempt, asked)
		}
		keys.Opened = map[string][]byte{}
		for i, group := range asked.Groups[:asked.Needed] {
			keys.Opened[group[0].ID] = parts[i+1]
		}
		_, err = renderFiles(&request{Kind: "plain", Files: files, Decryption: keys})
		check(t, err)
	}
}

func TestTheKeysOfAllFilesAreAskedForAtOnce(t *testing.T) {
	other := vaultKey()
	other.EncryptedKey = "vault:v1:other"
	one, two := encrypt(t, formats.Yaml, secret, sops.KeyGroup{vaultKey()}), encrypt(t, formats.Yaml, secret, sops.KeyGroup{other})
	files := map[string][]byte{
		"a.yaml": one, "b.yaml": two, "both.yaml": append(append(bytes.Clone(one), "---\n"...), two...),
		"kustomization.yaml": []byte("resources: [a.yaml]\npatches: [{path: b.yaml}]\nsecretGenerator: [{name: x, files: [both.yaml]}]\n"),
		"unused.yaml":        encrypt(t, formats.Yaml, secret, sops.KeyGroup{kmsKey("eu-west-1")}),
	}
	_, err := renderFiles(&request{Files: files, Decryption: &decryptionSpec{}})
	found := map[string]bool{}
	for _, each := range openings(t, err) {
		found[each.File] = true
	}
	if len(found) != 3 || found["unused.yaml"] {
		t.Error(found)
	}

	charts := map[string][]byte{
		"Chart.yaml": []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n"), "one.yaml": one, "two.yaml": two,
	}
	_, err = renderFiles(&request{
		Kind: "helm", Files: charts, Decryption: &decryptionSpec{},
		Helm: &helmSpec{ReleaseName: "a", ValuesFiles: []string{"one.yaml", "two.yaml"}, Chart: new(string)},
	})
	if asked := openings(t, err); len(asked) != 2 {
		t.Error(asked)
	}
}

func TestAnAnswerAsksForSoManyKeysOnly(t *testing.T) {
	files := map[string][]byte{}
	content := encrypt(t, formats.Yaml, secret, sops.KeyGroup{vaultKey()})
	for number := range maxOpenings + 10 {
		files[string(rune('a'+number%26))+string(rune('0'+number/26))+".yaml"] = content
	}
	_, err := renderFiles(&request{Kind: "plain", Files: maps.Clone(files), Decryption: &decryptionSpec{}})
	if asked := openings(t, err); len(asked) != maxOpenings {
		t.Error(len(asked))
	}
}

func TestOtherServicesAreRefusedByName(t *testing.T) {
	for name, group := range map[string]sops.KeyGroup{
		"HuaweiCloud KMS": {&hckms.MasterKey{KeyID: "eu-west-1:a", Region: "eu-west-1", KeyUUID: "a", EncryptedKey: "x"}},
	} {
		_, err := renderFiles(&request{
			Kind: "plain", Files: map[string][]byte{"a.yaml": encrypt(t, formats.Yaml, secret, group)}, Decryption: &decryptionSpec{},
		})
		if kind := kindOf(t, err); kind != kindKeyNotAsked || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Error(name, kind, err)
		}
	}
}

func TestAWrongDataKeyOpensNothing(t *testing.T) {
	files := map[string][]byte{"a.yaml": encrypt(t, formats.Yaml, secret, sops.KeyGroup{vaultKey()})}
	_, err := renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{}})
	id := openings(t, err)[0].Groups[0][0].ID
	for name, key := range map[string][]byte{"other": bytes.Repeat([]byte("x"), 32), "short": []byte("x"), "empty": {}} {
		_, err := renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{Opened: map[string][]byte{id: key}}})
		if kind := kindOf(t, err); kind != kindBadMAC {
			t.Error(name, kind)
		}
	}
}
