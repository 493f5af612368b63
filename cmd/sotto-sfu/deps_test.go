package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/sotto-sfu/sotto/"

// verifiers are the packages below e2ee/ that only check public data. They are
// all that the server may link of end-to-end encryption. To add one here is to
// claim that it holds no way to decrypt anything.
var verifiers = []string{
	module + "e2ee/identity",
	module + "e2ee/transparency",
}

// decrypting picks from a list of packages those that the server must not
// link: everything below e2ee/ but the verifiers, and the native client, which
// is made of them.
func decrypting(packages []string) []string {
	var found []string
	for _, p := range packages {
		if !within(p, module+"e2ee") && !within(p, module+"client") {
			continue
		}
		allowed := false
		for _, v := range verifiers {
			allowed = allowed || within(p, v)
		}
		if !allowed {
			found = append(found, p)
		}
	}
	return found
}

func within(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }

// linked lists everything that a program is made of.
func linked(t *testing.T, pattern string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", pattern)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pattern, err)
	}
	return strings.Fields(string(out))
}

// TestServerCannotDecrypt is the one rule of the design: nothing that
// sotto-sfu links can decrypt what it forwards.
func TestServerCannotDecrypt(t *testing.T) {
	packages := linked(t, "./cmd/sotto-sfu")
	if len(packages) < 50 {
		t.Fatalf("only %d packages: is the walk right?", len(packages))
	}
	for _, p := range decrypting(packages) {
		t.Errorf("sotto-sfu links %s, which can decrypt", p)
	}
}

// TestWalkFindsDecryption shows that the test above can fail: the same walk
// over what does decrypt finds it.
func TestWalkFindsDecryption(t *testing.T) {
	for _, pattern := range []string{"./cmd/sotto", "./e2ee/call", "./e2ee/sframe"} {
		if len(decrypting(linked(t, pattern))) == 0 {
			t.Errorf("the walk over %s finds nothing", pattern)
		}
	}
}

func TestDecrypting(t *testing.T) {
	for pkg, want := range map[string]bool{
		module + "e2ee/identity":        false,
		module + "e2ee/identity/x":      false,
		module + "e2ee/identitytheft":   true,
		module + "e2ee/sframe":          true,
		module + "e2ee/mls/internal/x":  true,
		module + "e2ee":                 true,
		module + "client":               true,
		module + "client/ivf":           true,
		module + "sfu":                  false,
		module + "web":                  false,
		"crypto/aes":                    false, // TLS and SRTP need it
		"example.org/other/e2ee/sframe": false,
	} {
		if got := len(decrypting([]string{pkg})) > 0; got != want {
			t.Errorf("%s: %v, want %v", pkg, got, want)
		}
	}
}
