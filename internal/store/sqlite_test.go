package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/internal/store/storetest"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// childEnv makes this test binary a process that creates calls until killed.
const childEnv = "SOTTO_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		createForever(path)
	}
	goleak.VerifyTestMain(m)
}

func TestSQLiteConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() store.Store {
		path := filepath.Join(t.TempDir(), "a folder?#%20", "sotto.db")
		return func() store.Store {
			s, err := store.Open(context.Background(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

func createForever(path string) {
	s, err := store.Open(context.Background(), "sqlite:"+path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 8 { // several at once, so that commits are shared
		go func() {
			for {
				c := storetest.NewCall("child", time.Now())
				if _, err := s.CreateCall(context.Background(), c, 1<<30); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(c.ID) // os.Stdout is unbuffered: said only once stored
			}
		}()
	}
	select {}
}

// What was acknowledged is there after kill -9, round after round on one file.
func TestAcknowledgedSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sotto.db")
	var acknowledged []protocol.CallID
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if len(lines.Text()) == 22 { // the last line may be cut off
				acknowledged = append(acknowledged, protocol.CallID(lines.Text()))
			}
			if n == 100+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		s, err := store.Open(t.Context(), "sqlite:"+path)
		if err != nil {
			t.Fatalf("after kill %d: %v", round+1, err)
		}
		for _, id := range acknowledged {
			if _, err := s.Call(t.Context(), id); err != nil {
				t.Errorf("after kill %d: call %s: %v", round+1, id, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 400 {
		t.Fatalf("only %d calls were acknowledged", len(acknowledged))
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, []byte("hello"))
	damaged := filepath.Join(dir, "damaged.db")
	write(t, damaged, append([]byte("SQLite format 3\x00"), make([]byte, 4096)...))
	foreign := filepath.Join(dir, "foreign.db")
	execSQL(t, foreign, "CREATE TABLE songs (title TEXT)")
	newer := filepath.Join(dir, "newer.db")
	open(t, newer)
	execSQL(t, newer, "PRAGMA user_version = 999")
	if err := os.Mkdir(filepath.Join(dir, "folder.db"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, want string }{
		{"", "use sqlite:FILE"},
		{"sqlite:", "names no file"},
		{"mysql://x", "use sqlite:FILE"},
		{"postgres://user:secret@host/db", "not supported yet"},
		{"sqlite:" + file, "damaged"},
		{"sqlite:" + damaged, "damaged"},
		{"sqlite:" + foreign, "another program"},
		{"sqlite:" + newer, "newer version"},
		{"sqlite:" + filepath.Join(file, "x.db"), "folder cannot be made"},
		{"sqlite:" + filepath.Join(dir, "folder.db"), "cannot be written"},
	} {
		s, err := store.Open(t.Context(), c.url)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", c.url)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q does not say %q", c.url, err, c.want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q tells the password", err)
		}
	}
}

// A page flipped in the middle of the file is told at opening.
func TestDamagedPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sotto.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := s.CreateCall(t.Context(), storetest.NewCall("alice", time.Now()), 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4096 {
		data[4096+i] ^= 0x55
	}
	write(t, path, data)
	if _, err := store.Open(t.Context(), "sqlite:"+path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("opened a damaged file: %v", err)
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "sotto.db")
	open(t, path)
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", p, got, want)
		}
	}
}

func open(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func execSQL(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
