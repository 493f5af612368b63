// Command tapserver is sotto-sfu as a dishonest operator might patch it: it
// writes every RTP packet that it decrypts to a file. The browser tests use it
// to show that such a file holds nothing to see or hear. It is built by tests only.
//
//	tapserver -tap FILE -- serve --listen …
//
// The file is a sequence of packets, each after its length in four bytes.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/server"
	"github.com/sotto-sfu/sotto/internal/testkit"
	"github.com/sotto-sfu/sotto/sfu/transport"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tapserver:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	path := flag.String("tap", "", "file to write decrypted RTP packets to")
	flag.Parse()
	cfg, err := config.Parse(flag.Args(), os.LookupEnv)
	if err != nil {
		return err
	}
	tap, err := create(*path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := tap.close(); err == nil {
			err = closeErr
		}
	}()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	srv, err := server.Start(ctx, &cfg.Options, server.Deps{
		Transport: func(f transport.Factory) transport.Factory {
			return &testkit.Tap{Factory: f, RTP: tap.add}
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("tapped server is ready:", srv.URL())
	select {
	case <-ctx.Done():
	case err = <-srv.Failed():
	}
	deadline, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if stopErr := srv.Shutdown(deadline); err == nil {
		err = stopErr
	}
	return err
}

// tapFile is written by every connection's reading goroutine.
type tapFile struct {
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
	err  error
}

func create(path string) (*tapFile, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("creating the tap: %w", err)
	}
	return &tapFile{file: file, out: bufio.NewWriter(file)}, nil
}

func (t *tapFile) add(packet []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(packet)))
	for _, part := range [][]byte{size[:], packet} {
		if _, err := t.out.Write(part); err != nil && t.err == nil {
			t.err = fmt.Errorf("writing the tap: %w", err)
		}
	}
}

func (t *tapFile) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.out.Flush(); t.err == nil {
		t.err = err
	}
	if err := t.file.Close(); t.err == nil {
		t.err = err
	}
	return t.err
}
