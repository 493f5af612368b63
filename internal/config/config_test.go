package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sotto.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	file := writeFile(t, "listen: :1001\nlog-level: warn\nmax-participants: 11\n")
	env := Env(map[string]string{"SOTTO_LISTEN": ":1002", "SOTTO_MAX_PARTICIPANTS": "12", "SOTTO_CONFIG": file})
	cfg, err := Parse([]string{"--max-participants=13"}, env)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != ":1002" || cfg.LogLevel != "warn" || cfg.MaxParticipants != 13 || cfg.LogFormat != "text" {
		t.Errorf("listen %s, log-level %s, max-participants %d, log-format %s: want environment, file, flag, default",
			cfg.Listen, cfg.LogLevel, cfg.MaxParticipants, cfg.LogFormat)
	}
	for option, want := range map[string]string{
		"listen": "SOTTO_LISTEN", "log-level": file + ":2", "max-participants": "--max-participants", "log-format": "default",
	} {
		if got := cfg.source(option); got != want {
			t.Errorf("source of %s is %q, want %q", option, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "serve"},
		{[]string{"serve"}, "serve"},
		{[]string{"--listen", ":1"}, "serve"},
		{[]string{"serve", "--listen", ":1"}, "serve"},
		{[]string{"config", "--listen", ":1"}, "config"},
		{[]string{"--listen", ":1", "config"}, "config"},
		{[]string{"version"}, "version"},
	} {
		cfg, err := Parse(tc.args, Env(nil))
		if err != nil || cfg.Command != tc.want {
			t.Errorf("%v: %v, %v; want %s", tc.args, cfg, err, tc.want)
		}
	}
}

func TestHelpNamesEveryOption(t *testing.T) {
	cfg, err := Parse([]string{"--help"}, Env(nil))
	if err != nil {
		t.Fatal(err)
	}
	for f := range reflect.TypeFor[Options]().Fields() {
		if name := optionName(f); !strings.Contains(strings.ReplaceAll(cfg.Help, "[no-]", ""), "--"+name) {
			t.Errorf("help does not name --%s", name)
		}
	}
}

func TestValues(t *testing.T) {
	file := writeFile(t, `
public-ip: [192.0.2.1, "2001:db8::1"]
allowed-origin:
  - https://a.example
  - https://b.example:8443
trusted-proxy: [127.0.0.1/32]
media-tcp: false
resume-window: 45s
`)
	cfg, err := Parse([]string{"--config", file}, Env(map[string]string{"SOTTO_CALL_EXPIRY": "48h"}))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.PublicIP = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	want.Origins = []string{"https://a.example", "https://b.example:8443"}
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	want.MediaTCP = false
	want.ResumeWindow = 45 * time.Second
	want.CallExpiry = 48 * time.Hour
	if !reflect.DeepEqual(&cfg.Options, want) {
		t.Errorf("got  %+v\nwant %+v", cfg.Options, *want)
	}
}

// TestErrors holds each refusal to one line that names the option, where it
// was given and what is accepted.
func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		env  map[string]string
		file string
		want []string
	}{
		{name: "unknown flag", args: []string{"--listn=:1"}, want: []string{"--listn", `"--listen"`}},
		{name: "unknown command", args: []string{"srve"}, want: []string{"srve"}},
		{name: "flag without value", args: []string{"--listen"}, want: []string{"--listen"}},
		{name: "number", args: []string{"--max-participants=many"}, want: []string{"--max-participants", "many"}},
		{name: "number in environment", env: map[string]string{"SOTTO_MAX_PARTICIPANTS": "many"}, want: []string{"max-participants", "SOTTO_MAX_PARTICIPANTS", "many"}},
		{name: "number in file", file: "\nmax-participants: many\n", want: []string{"max-participants", "sotto.yaml:2", "many"}},
		{name: "choice", args: []string{"--log-level=loud"}, want: []string{"log-level", `"loud"`, "debug, info, warn, error"}},
		{name: "choice in environment", env: map[string]string{"SOTTO_TLS": "on"}, want: []string{"tls", "SOTTO_TLS", "auto, files, self-signed, off"}},
		{name: "range", args: []string{"--audio-slots=0"}, want: []string{"audio-slots", "1 to 100"}},
		{name: "duration range", args: []string{"--shutdown-timeout=0s"}, want: []string{"shutdown-timeout", "100ms to 1h"}},
		{name: "duration", args: []string{"--shutdown-timeout=soon"}, want: []string{"shutdown-timeout", "soon"}},
		{name: "ip", file: "public-ip: [nowhere]", want: []string{"public-ip", "sotto.yaml:1", "nowhere"}},
		{name: "proxy", args: []string{"--trusted-proxy=127.0.0.1"}, want: []string{"trusted-proxy", "127.0.0.1"}},
		{name: "unspecified ip", args: []string{"--public-ip=0.0.0.0"}, want: []string{"public-ip", "0.0.0.0"}},
		{name: "listen", args: []string{"--listen=8443"}, want: []string{"listen", "HOST:PORT"}},
		{name: "port", args: []string{"--listen=:84430"}, want: []string{"listen", "84430", "65535"}},
		{name: "metrics address", args: []string{"--metrics-listen=on"}, want: []string{"metrics-listen", "HOST:PORT", "off"}},
		{name: "slots together", args: []string{"--audio-slots=64", "--video-slots=65"}, want: []string{"video-slots", "at most 128"}},
		{name: "public url without the TLS there is", args: []string{"--public-url=http://a"}, want: []string{"public-url", "https"}},
		{name: "public url with path", args: []string{"--public-url=https://a/b"}, want: []string{"public-url", "https://HOST"}},
		{name: "origin", args: []string{"--allowed-origin=a.example"}, want: []string{"allowed-origin", "https://HOST"}},
		{name: "store", args: []string{"--store=mysql://x"}, want: []string{"store", "sqlite:FILE"}},
		{name: "empty data folder", args: []string{"--data-dir="}, want: []string{"data-dir"}},
		{name: "plain HTTP on all interfaces", args: []string{"--tls=off"}, want: []string{"tls", "127.0.0.1:PORT", "insecure-http"}},
		{name: "insecure-http with tls", args: []string{"--insecure-http"}, want: []string{"insecure-http", "tls off"}},
		{name: "files without files", args: []string{"--tls=files"}, want: []string{"tls", "tls-cert and tls-key"}},
		{name: "certificate without key", args: []string{"--tls-cert=a"}, want: []string{"tls-cert", "tls-key"}},
		{name: "key without certificate", args: []string{"--tls-key=a"}, want: []string{"tls-key", "tls-cert"}},
		{name: "certificate without tls", args: []string{"--tls=self-signed", "--tls-cert=a"}, want: []string{"tls-cert", "self-signed"}},
		{name: "unknown key", file: "data_dir: /x", want: []string{"sotto.yaml:1", "data_dir", `"data-dir"`}},
		{name: "unlike any key", file: "zzzzzzzzzz: 1", want: []string{"sotto.yaml:1", "zzzzzzzzzz", "--help"}},
		{name: "config inside config", file: "config: x", want: []string{"unknown option", "config"}},
		{name: "twice", file: "listen: :1\nlisten: :2", want: []string{"sotto.yaml:2", "listen", "twice"}},
		{name: "no value", file: "listen:", want: []string{"sotto.yaml:1", "listen", "no value"}},
		{name: "nested", file: "listen: {port: 1}", want: []string{"sotto.yaml:1", "listen", "plain value"}},
		{name: "nested list", file: "public-ip: [[1.2.3.4]]", want: []string{"public-ip", "plain values"}},
		{name: "alias", file: "listen: &a :1\npublic-url: *a", want: []string{"public-url", "plain value"}},
		{name: "not a mapping", file: "- listen", want: []string{"sotto.yaml:1", "option: value"}},
		{name: "two documents", file: "listen: :1\n---\nlisten: :2", want: []string{"one YAML document"}},
		{name: "not YAML", file: "listen: [", want: []string{"sotto.yaml"}},
		{name: "missing file", args: []string{"--config=/nonexistent/sotto.yaml"}, want: []string{"config", "/nonexistent/sotto.yaml", "no such file"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := tc.args
			if tc.file != "" {
				args = append(args, "--config", writeFile(t, tc.file))
			}
			_, err := Parse(args, Env(tc.env))
			if own := (*Error)(nil); !errors.As(err, &own) {
				t.Fatalf("got %v, want a *Error", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestEmptyFilesSetNothing(t *testing.T) {
	for _, text := range []string{"", "# only a comment\n", "---\n", "null\n"} {
		cfg, err := Parse([]string{"--config", writeFile(t, text)}, Env(nil))
		if err != nil || !reflect.DeepEqual(&cfg.Options, Default()) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestPrintedConfigReadsBack checks that `sotto-sfu config > file` followed by
// --config file is the same configuration.
func TestPrintedConfigReadsBack(t *testing.T) {
	first, err := Parse([]string{
		"--listen=127.0.0.1:9", "--public-ip=192.0.2.1,2001:db8::1", "--no-media-tcp", "--tls=off",
		"--public-url=https://sotto.example", "--resume-window=90s", "--data-dir=/a folder/#1", "--max-connections=7",
	}, Env(nil))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := first.WriteYAML(&out); err != nil {
		t.Fatal(err)
	}
	second, err := Parse([]string{"--config", writeFile(t, out.String())}, Env(nil))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, out.String())
	}
	if !reflect.DeepEqual(first.Options, second.Options) {
		t.Errorf("got  %+v\nwant %+v", second.Options, first.Options)
	}
	for _, want := range []string{"# --listen", "listen: 127.0.0.1:9  # --listen", "log-level: info  # default", "# --- Limits ---"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

func TestTLSMode(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want TLSMode
	}{
		{nil, TLSSelfSigned},
		{[]string{"--tls-cert=a", "--tls-key=b"}, TLSFiles},
		{[]string{"--tls=off", "--listen=localhost:1"}, TLSOff},
		{[]string{"--tls=off", "--listen=[::1]:1"}, TLSOff},
		{[]string{"--tls=off", "--insecure-http"}, TLSOff},
	} {
		cfg, err := Parse(tc.args, Env(nil))
		if err != nil {
			t.Errorf("%v: %v", tc.args, err)
		} else if got := cfg.TLSMode(); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.args, got, tc.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"listen", "listn", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q, %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := editDistance(tc.b, tc.a); got != tc.want {
			t.Errorf("%q, %q: %d, want %d", tc.b, tc.a, got, tc.want)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("listen: :8443\npublic-ip: [192.0.2.1]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {}\n: 1\n"))
	f.Add([]byte("<<: {listen: x}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseFile("f.yaml", data, []string{"listen", "public-ip"})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		for name := range got {
			if name != "listen" && name != "public-ip" {
				t.Errorf("accepted option %q", name)
			}
		}
	})
}
