package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// What is generated must be what is committed, and nothing else may lie beside
// it: a message that was removed must not keep its golden file.
func TestGeneratedFilesAreFresh(t *testing.T) {
	files, err := render(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("missing: %v (run go generate ./signaling/...)", err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go generate ./signaling/...", name)
		}
	}
	entries, err := os.ReadDir(filepath.Join(root, goldenDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := files[goldenDir+"/"+e.Name()]; !ok && strings.HasSuffix(e.Name(), ".json") {
			t.Errorf("%s/%s belongs to no message", goldenDir, e.Name())
		}
	}
}
