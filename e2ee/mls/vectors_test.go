package mls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// vectorDir is where the official vectors of the MLS working group lie: beside the repository.
const vectorDir = "../../../shared/vectors/mls"

// hexBytes is a byte string in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := hex.DecodeString(s)
	*h = v
	return err
}

// tally counts what became of the vectors of one file.
type tally struct {
	t               *testing.T
	passed, skipped int
}

// loadVectors reads a file and returns a tally that is printed at the end.
func loadVectors[T any](t *testing.T, name string) ([]T, *tally) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no official vectors at %s", vectorDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no vectors in the file")
	}
	c := &tally{t: t}
	t.Cleanup(func() {
		t.Logf("%-36s %4d passed %4d skipped (suites 4-7)", name, c.passed, c.skipped)
		if c.passed == 0 {
			t.Error("nothing passed")
		}
	})
	return list, c
}

// suite returns the suite, or false for those we do not have, which it counts as skipped.
func (c *tally) suite(id uint16) (*suite.Suite, bool) {
	c.t.Helper()
	s, err := suite.Get(id)
	if err != nil {
		if id < 4 || id > 7 {
			c.t.Fatalf("suite %d must not be skipped", id)
		}
		c.skipped++
		return nil, false
	}
	return s, true
}

func wantBytes(t *testing.T, i int, what string, have, want []byte) {
	t.Helper()
	if !bytes.Equal(have, want) {
		t.Fatalf("vector %d: %s\nhave %x\nwant %x", i, what, have, want)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// decode decodes b as a whole with read.
func decode[T any](t *testing.T, b []byte, read func(*wire.Reader) T) T {
	t.Helper()
	r := wire.NewReader(b)
	v := read(r)
	if err := r.Done(); err != nil {
		t.Fatalf("decoding %T: %v", v, err)
	}
	return v
}

func encode(m interface{ marshal(*wire.Writer) }) []byte {
	var w wire.Writer
	m.marshal(&w)
	return w.B
}
