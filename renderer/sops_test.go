package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	filippo "filippo.io/age"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	"github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/cmd/sops/common"
	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/pgp"
	"github.com/getsops/sops/v3/shamir"
)

var update = flag.Bool("update", false, "write testdata/, which the tests of the other side read")

const secret = "apiVersion: v1\nkind: Secret\nmetadata:\n    name: shop\nstringData:\n    password: hunter2-plain\n"

// ageKey returns a new private key and the master key that encrypts for it.
func ageKey(t *testing.T) (string, *age.MasterKey) {
	t.Helper()
	identity, err := filippo.GenerateX25519Identity()
	check(t, err)
	key, err := age.MasterKeyFromRecipient(identity.Recipient().String())
	check(t, err)
	return identity.String() + "\n", key
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// encrypt does what `sops --encrypt` does.
func encrypt(t *testing.T, format formats.Format, text string, groups ...sops.KeyGroup) []byte {
	t.Helper()
	parts := [][]byte{dataKey}
	if len(groups) > 1 {
		var err error
		parts, err = shamir.Split(dataKey, len(groups), len(groups))
		check(t, err)
	}
	return encryptParts(t, format, text, len(groups), parts, groups...)
}

// dataKey encrypts the values of all files.
var dataKey = bytes.Repeat([]byte("k"), 32)

// encryptParts encrypts with a data key of which each group has a part, and so many parts are enough. It asks no service:
// a key that has something encrypted already keeps it.
func encryptParts(t *testing.T, format formats.Format, text string, threshold int, parts [][]byte, groups ...sops.KeyGroup) []byte {
	t.Helper()
	store := common.StoreForFormat(format, config.NewStoresConfig())
	branches, err := store.LoadPlainFile([]byte(text))
	check(t, err)
	tree := sops.Tree{Branches: branches, Metadata: sops.Metadata{
		KeyGroups: groups, Version: "3.13.3", ShamirThreshold: threshold, LastModified: time.Now().UTC(),
	}}
	if format == formats.Yaml {
		tree.Metadata.EncryptedRegex = "^(data|stringData)$"
	}
	for i, group := range groups {
		for _, key := range group {
			check(t, key.EncryptIfNeeded(parts[i]))
		}
	}
	check(t, common.EncryptTree(common.EncryptTreeOpts{Tree: &tree, Cipher: aes.NewCipher(), DataKey: dataKey}))
	encrypted, err := store.EmitEncryptedFile(tree)
	check(t, err)
	return encrypted
}

// renderFiles renders a whole repository.
func renderFiles(asked *request) (*rendered, error) {
	asked.Folders = []string{""}
	if asked.Kind == "" {
		asked.Kind = "kustomize"
	}
	return newJob(asked, limits{documents: 10_000, outputBytes: 1 << 25}).render()
}

// kindOf returns the kind of a problem and fails on any other error, or where the plaintext is quoted.
func kindOf(t *testing.T, err error) string {
	t.Helper()
	var several problems
	var one *problem
	if errors.As(err, &several) {
		one = several[0]
	} else if !errors.As(err, &one) {
		t.Fatalf("no problem: %v", err)
	}
	if strings.Contains(one.message+one.detail, "hunter2") {
		t.Fatalf("the plaintext is quoted: %v %s", one, one.detail)
	}
	return one.kind
}

func TestAnEncryptedManifestIsDecryptedInMemory(t *testing.T) {
	private, key := ageKey(t)
	result, err := renderFiles(&request{
		Files: map[string][]byte{
			"kustomization.yaml": []byte("resources: [secret.yaml]\nnamePrefix: a-\n"),
			"secret.yaml":        encrypt(t, formats.Yaml, secret, sops.KeyGroup{key}),
		},
		Decryption: &decryptionSpec{Age: []string{private}},
	})
	check(t, err)
	if text := string(result.Documents[0].JSON); !strings.Contains(text, "hunter2-plain") || strings.Contains(text, "sops") {
		t.Fatal(text)
	}
}

func TestFilesOfGeneratorsAreDecryptedInEveryFormat(t *testing.T) {
	private, key := ageKey(t)
	group := sops.KeyGroup{key}
	result, err := renderFiles(&request{
		Files: map[string][]byte{
			"kustomization.yaml": []byte(`secretGenerator:
- {name: env, envs: [app.env]}
- {name: files, files: [app.ini, app.json, token.enc, tls.env.enc]}
generatorOptions: {disableNameSuffixHash: true}
`),
			"app.env":     encrypt(t, formats.Dotenv, "PASSWORD=hunter2\n", group),
			"app.ini":     encrypt(t, formats.Ini, "[db]\npassword = hunter2\n", group),
			"app.json":    encrypt(t, formats.Json, `{"password": "hunter2"}`, group),
			"token.enc":   encrypt(t, formats.Binary, "hunter2 binary", group),
			"tls.env.enc": encrypt(t, formats.Dotenv, "KEY=hunter2\n", group),
		},
		Decryption: &decryptionSpec{Age: []string{private}},
	})
	check(t, err)
	text := string(result.Documents[0].JSON) + string(result.Documents[1].JSON)
	for _, plain := range []string{
		`"PASSWORD":"aHVudGVyMg=="`, `"token.enc":"aHVudGVyMiBiaW5hcnk="`, `"tls.env.enc":"S0VZPWh1bnRlcjIK"`,
	} {
		if !strings.Contains(text, plain) {
			t.Errorf("%s is not in %s", plain, text)
		}
	}
	if strings.Contains(text, "RU5DW") { // ENC[
		t.Error("something is encrypted still:", text)
	}
}

func TestAnOpenPGPKeyOpensAFile(t *testing.T) {
	entity, err := openpgp.NewEntity("shop", "", "shop@example.test", nil)
	check(t, err)
	private := armored(t, func(out *bytes.Buffer) error { return entity.SerializePrivate(out, nil) }, openpgp.PrivateKeyType)
	key := pgp.NewMasterKeyFromFingerprint(strings.ToUpper(hex.EncodeToString(entity.PrimaryKey.Fingerprint)))
	var message bytes.Buffer
	writer, err := armor.Encode(&message, "PGP MESSAGE", nil)
	check(t, err)
	plain, err := openpgp.Encrypt(writer, []*openpgp.Entity{entity}, nil, nil, nil)
	check(t, err)
	_, err = plain.Write(bytes.Repeat([]byte("k"), 32))
	check(t, err)
	check(t, plain.Close())
	check(t, writer.Close())
	key.SetEncryptedDataKey(message.Bytes())

	result, err := renderFiles(&request{
		Kind:       "plain",
		Files:      map[string][]byte{"secret.yaml": encrypt(t, formats.Yaml, secret, sops.KeyGroup{key})},
		Decryption: &decryptionSpec{PGP: []string{private}},
	})
	check(t, err)
	if text := string(result.Documents[0].JSON); !strings.Contains(text, "hunter2-plain") {
		t.Fatal(text)
	}
}

func armored(t *testing.T, serialize func(*bytes.Buffer) error, kind string) string {
	t.Helper()
	var raw, text bytes.Buffer
	check(t, serialize(&raw))
	writer, err := armor.Encode(&text, kind, nil)
	check(t, err)
	_, err = writer.Write(raw.Bytes())
	check(t, err)
	check(t, writer.Close())
	return text.String()
}

func TestEachGroupOfKeysIsNeeded(t *testing.T) {
	first, firstKey := ageKey(t)
	second, secondKey := ageKey(t)
	files := map[string][]byte{"a.yaml": encrypt(t, formats.Yaml, secret, sops.KeyGroup{firstKey}, sops.KeyGroup{secondKey})}

	_, err := renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{Age: []string{first}}})
	if kind := kindOf(t, err); kind != kindNoKey {
		t.Error(kind)
	}
	_, err = renderFiles(&request{Kind: "plain", Files: files, Decryption: &decryptionSpec{Age: []string{first, second}}})
	check(t, err)
}

func TestDocumentsOfOneFileAreDecryptedTogetherOrOneByOne(t *testing.T) {
	private, key := ageKey(t)
	other := strings.ReplaceAll(secret, "name: shop", "name: till")
	group := sops.KeyGroup{key}
	one, two := encrypt(t, formats.Yaml, secret, group), encrypt(t, formats.Yaml, other, group)
	for name, content := range map[string][]byte{
		"together":    encrypt(t, formats.Yaml, secret+"---\n"+other, group),
		"one by one":  slices.Concat(one, []byte("---\n"), two),
		"commented":   slices.Concat([]byte("---\n"), one, []byte("--- # the other\n"), two),
		"windows":     bytes.ReplaceAll(slices.Concat(one, []byte("---\n"), two), []byte("\n"), []byte("\r\n")),
		"plain first": slices.Concat([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: open}\n---\n"), two),
	} {
		result, err := renderFiles(&request{
			Kind: "plain", Files: map[string][]byte{"a.yaml": content}, Decryption: &decryptionSpec{Age: []string{private}},
		})
		if err != nil || len(result.Documents) != 2 || !strings.Contains(string(result.Documents[1].JSON), "hunter2-plain") {
			t.Errorf("%s: %v %v", name, result, err)
		}
	}
}

func TestWhatCannotBeDecryptedIsRefusedByKind(t *testing.T) {
	private, key := ageKey(t)
	stranger, _ := ageKey(t)
	encrypted := encrypt(t, formats.Yaml, secret, sops.KeyGroup{key})
	moved := bytes.Replace(encrypted, []byte("name: shop"), []byte("name: till"), 1)
	twisted := bytes.Replace(encrypted, []byte("password: ENC["), []byte("passport: ENC["), 1)
	looped := append([]byte("a: &a [*a]\n"), encrypted...)
	keys := &decryptionSpec{Age: []string{private}}
	for name, attempt := range map[string]struct {
		content    []byte
		decryption *decryptionSpec
		kind       string
	}{
		"no decryption":      {encrypted, nil, kindEncrypted},
		"no key":             {encrypted, &decryptionSpec{}, kindNoKey},
		"another key":        {encrypted, &decryptionSpec{Age: []string{stranger}}, kindNoKey},
		"changed around":     {moved, keys, kindBadMAC},
		"value moved":        {twisted, keys, kindBadMAC},
		"MAC removed":        {bytes.Replace(encrypted, []byte("    mac: "), []byte("    cam: "), 1), keys, kindBadEncryptedFile},
		"alias of itself":    {looped, keys, kindInvalidResource},
		"not a key":          {encrypted, &decryptionSpec{Age: []string{"AGE-SECRET-KEY-1NOT"}}, kindBadKey},
		"a plugin's key":     {encrypted, &decryptionSpec{Age: []string{"AGE-PLUGIN-SE-1QQ"}}, kindBadKey},
		"not an OpenPGP key": {encrypted, &decryptionSpec{PGP: []string{"-----BEGIN PGP"}}, kindBadKey},
	} {
		for _, kind := range []string{"plain", "kustomize"} {
			_, err := renderFiles(&request{
				Kind: kind, Decryption: attempt.decryption,
				Files: only(kind, map[string][]byte{
					"a.yaml": attempt.content, "kustomization.yaml": []byte("resources: [a.yaml]\n"),
				}),
			})
			if err == nil {
				t.Errorf("%s, %s: nothing was refused", name, kind)
			} else if found := kindOf(t, err); found != attempt.kind {
				t.Errorf("%s, %s: %s and not %s", name, kind, found, attempt.kind)
			}
		}
	}
}

// only leaves the kustomization out of what is plain.
func only(kind string, files map[string][]byte) map[string][]byte {
	if kind == "plain" {
		delete(files, "kustomization.yaml")
	}
	return files
}

func TestNoPlaintextIsQuoted(t *testing.T) {
	private, key := ageKey(t)
	keys := &decryptionSpec{Age: []string{private}}
	bad := "apiVersion: v1\nkind: Secret\nmetadata:\n    name: shop\nstringData:\n    - hunter2-plain\n"
	_, err := renderFiles(&request{
		Decryption: keys,
		Files: map[string][]byte{
			"kustomization.yaml": []byte("resources: [a.yaml]\npatches: [{path: b.yaml}]\n"),
			"a.yaml":             encrypt(t, formats.Yaml, bad, sops.KeyGroup{key}),
			"b.yaml":             encrypt(t, formats.Yaml, secret, sops.KeyGroup{key}),
		},
	})
	if err != nil {
		kindOf(t, err)
	}
	_, err = renderFiles(&request{
		Kind: "helm", Decryption: keys, Helm: &helmSpec{ReleaseName: "a", ValuesFiles: []string{"values.yaml"}, Chart: new(string)},
		Files: map[string][]byte{
			"Chart.yaml":       []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
			"templates/a.yaml": []byte("{{ fail (printf \"not %s\" .Values.stringData.password) }}"),
			"values.yaml":      encrypt(t, formats.Yaml, secret, sops.KeyGroup{key}),
		},
	})
	if kind := kindOf(t, err); kind != kindTemplate {
		t.Error(kind)
	}
}

// TestData checks, or with -update writes, the files that the tests of the other side read.
func TestData(t *testing.T) {
	if *update {
		private, key := ageKey(t)
		stranger, _ := ageKey(t)
		for name, content := range map[string][]byte{
			"secret.yaml":     encrypt(t, formats.Yaml, secret, sops.KeyGroup{key}),
			"app.env":         encrypt(t, formats.Dotenv, "PASSWORD=hunter2-plain\n", sops.KeyGroup{key}),
			"shop.agekey":     []byte(private),
			"stranger.agekey": []byte(stranger),
		} {
			check(t, os.WriteFile("testdata/"+name, content, 0o644))
		}
	}
	content, err := os.ReadFile("testdata/secret.yaml")
	check(t, err)
	private, err := os.ReadFile("testdata/shop.agekey")
	check(t, err)
	_, err = renderFiles(&request{
		Kind: "plain", Files: map[string][]byte{"secret.yaml": content}, Decryption: &decryptionSpec{Age: []string{string(private)}},
	})
	check(t, err)
}
