// Command gen writes what is derived from signaling/protocol: the TypeScript
// types and schema of the page, the golden messages in testdata/protocol and
// the tables of docs/PROTOCOL.md.
// Run it with `go generate ./signaling/...`; a test fails when its output is
// stale.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Where the output goes, below the repository's root.
const (
	webDir    = "web/src/protocol"
	goldenDir = "testdata/protocol"
	sourceDir = "signaling/protocol"
)

func main() {
	root := flag.String("root", ".", "the repository's root")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := render(root)
	if err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(root, goldenDir, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range stale {
		if _, ok := files[goldenDir+"/"+filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render gives every generated file, by its path from the root.
func render(root string) (map[string][]byte, error) {
	comments, err := readComments(filepath.Join(root, filepath.FromSlash(sourceDir)))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		webDir + "/messages.generated.ts": typescriptTypes(comments),
		webDir + "/schema.generated.ts":   typescriptSchema(),
	}
	if files[document], err = renderDocument(root, comments); err != nil {
		return nil, err
	}
	goldens, err := goldenFiles()
	if err != nil {
		return nil, err
	}
	for name, content := range goldens {
		files[goldenDir+"/"+name] = content
	}
	for name, content := range files {
		if bytes.ContainsRune(content, '\r') || !strings.HasSuffix(string(content), "\n") {
			return nil, fmt.Errorf("%s: not a text file", name)
		}
	}
	return files, nil
}
