package main

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë’s 電話":          "Zoë’s 電話",
		"a\nb\tc\u00a0d":    "a b c d",
		"\x1b]0;x\a\x9b2J":  "\ufffd]0;x\ufffd\ufffd2J",
		"\u202eevil\u200b":  "\ufffdevil\ufffd",
		"bad utf-8: \xff\r": "bad utf-8: \ufffd ",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A server's own words reach the terminal as words.
func TestHostileStatusLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = c.Write([]byte("HTTP/1.1 404 \x1b[2J\x1b]0;gone\a\r\nContent-Length: 0\r\n\r\n"))
			c.Close()
		}
	}()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"call", "--new", "http://" + l.Addr().String()}, terminal{out: &out, err: &errs})
	if code != exitRefused || !strings.Contains(errs.String(), "404") {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
	if strings.ContainsAny(out.String()+errs.String(), "\x1b\a") {
		t.Errorf("escapes on the terminal: %q", errs.String())
	}
}
