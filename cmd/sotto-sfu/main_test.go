package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is sotto-sfu as built for these tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sotto-sfu-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "sotto-sfu")
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience is how long anything may take on a loaded machine.
const patience = 20 * time.Second

// process is a running sotto-sfu.
type process struct {
	cmd    *exec.Cmd
	url    string
	exited chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// launch runs the server until it has said where it is.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), exited: make(chan struct{})}
	p.cmd.Stderr = p
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.exited })
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		_, p.url, _ = strings.Cut(lines.Text(), ": ")
	}
	go func() {
		defer close(p.exited)
		_, _ = io.Copy(p, out)
		_ = p.cmd.Wait()
	}()
	if p.url == "" {
		<-p.exited
		t.Fatalf("the server did not start: %s", p.logged())
	}
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// insist repeats a signal until the process is gone: one that comes right after
// another counts as its echo.
func (p *process) insist(t *testing.T, s os.Signal) (exit int) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); ; {
		select {
		case <-p.exited:
			return p.cmd.ProcessState.ExitCode()
		case <-again.C:
			_ = p.cmd.Process.Signal(s)
		case <-deadline:
			t.Fatalf("still running: %s", p.logged())
		}
	}
}

func (p *process) wait(t *testing.T) (exit int) {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("still running: %s", p.logged())
		return 0
	}
}

// browser is a client that accepts the development certificate, as a person
// does once.
func browser() *http.Client {
	return &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
}

func (p *process) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := browser().Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// local are the options of a server that only this test sees.
func local(dir string, more ...string) []string {
	return append([]string{"--listen=127.0.0.1:0", "--data-dir=" + dir}, more...)
}

func TestServesAndStops(t *testing.T) {
	p := launch(t, local(t.TempDir())...)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if status, body := p.get(t, path); status != 200 || body != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if status, body := p.get(t, "/metrics"); status != 200 || !strings.Contains(body, "sotto_build_info") {
		t.Errorf("/metrics: %d %q", status, body)
	}
	p.signal(t, syscall.SIGTERM)
	if exit := p.wait(t); exit != exitOK {
		t.Errorf("exit code %d after SIGTERM: %s", exit, p.logged())
	}
	if strings.Contains(p.logged(), "127.0.0.1") {
		t.Errorf("an address in the log at level info: %s", p.logged())
	}
}

func TestHangupStopsInOrder(t *testing.T) {
	p := launch(t, local(t.TempDir())...)
	p.signal(t, syscall.SIGHUP)
	if exit := p.wait(t); exit != exitOK {
		t.Errorf("exit code %d after SIGHUP: %s", exit, p.logged())
	}
}

// TestRefusals runs the binary into every error that an operator can make.
func TestRefusals(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcpPort := fmt.Sprint(tcp.Addr().(*net.TCPAddr).Port)
	udpPort := fmt.Sprint(udp.LocalAddr().(*net.UDPAddr).Port)

	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadDir(dir)
	if err != nil || len(ours) != 1 {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name string
		args []string
		exit int
		want []string
	}{
		{"unknown option", []string{"--listn=:1"}, exitOption, []string{"--listn", "--listen"}},
		{"bad value", []string{"--log-format=xml"}, exitOption, []string{"log-format", "xml", "text, json"}},
		{"TCP port taken", local(dir, "--listen=127.0.0.1:"+tcpPort), exitPort, []string{"listen", "TCP port " + tcpPort, "taken"}},
		{"UDP port taken", local(dir, "--media-udp-port="+udpPort), exitPort, []string{"media-udp-port", "UDP port " + udpPort, "taken"}},
		{"metrics port taken", local(dir, "--metrics-listen=127.0.0.1:"+tcpPort), exitPort, []string{"metrics-listen", tcpPort, "taken"}},
		{"address of another machine", local(dir, "--listen=192.0.2.1:0"), exitPort, []string{"listen", "cannot assign"}},
		{"bad certificate", local(dir, "--tls-cert="+file, "--tls-key="+file), exitCertificate, []string{"tls-cert", file}},
		{"missing certificate", local(dir, "--tls-cert=/nonexistent", "--tls-key="+file), exitCertificate, []string{"tls-cert", "/nonexistent"}},
		{"data folder below a file", local(filepath.Join(file, "data")), exitData, []string{"data-dir", file, "not a directory"}},
		{"data folder that cannot be made", local("/proc/sotto"), exitData, []string{"data-dir", "/proc/sotto"}},
		{"store that is no database", local(dir, "--store=sqlite:"+file), exitData, []string{"store", file}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, tc.args...)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			if exit := cmd.ProcessState.ExitCode(); exit != tc.exit {
				t.Errorf("exit code %d, want %d", exit, tc.exit)
			}
			text := stderr.String()
			if strings.Count(text, "\n") != 1 || stdout.Len() > 0 {
				t.Errorf("want one line on stderr and nothing on stdout; got %q and %q", text, stdout.String())
			}
			for _, want := range append(tc.want, "sotto-sfu: ") {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
		})
	}
}

func TestConfigAndVersion(t *testing.T) {
	out, err := exec.Command(binary, "config", "--max-participants=7").Output()
	if err != nil || !strings.Contains(string(out), "max-participants: 7  # --max-participants\n") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = exec.Command(binary, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "sotto-sfu ") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestKillAndRestart ends the server as a power cut would, and starts it again
// on the same folder and port.
func TestKillAndRestart(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, local(dir)...)
	first := certificate(t, p)
	p.signal(t, syscall.SIGKILL)
	p.wait(t)

	address := strings.TrimPrefix(p.url, "https://localhost")
	again := launch(t, local(dir, "--listen=127.0.0.1"+address)...)
	if again.url != p.url {
		t.Errorf("came back at %s, was at %s", again.url, p.url)
	}
	if status, body := again.get(t, "/readyz"); status != 200 {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if second := certificate(t, again); !bytes.Equal(first, second) {
		t.Error("another certificate after the restart: people would be asked again")
	}
}

func certificate(t *testing.T, p *process) []byte {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Raw
}

// TestShutdownIsAnnounced checks that load balancers hear of the stop before
// connections are refused.
func TestShutdownIsAnnounced(t *testing.T) {
	p := launch(t, local(t.TempDir(), "--shutdown-delay=1h")...)
	p.signal(t, syscall.SIGTERM)
	for deadline := time.Now().Add(patience); ; {
		if status, body := p.get(t, "/readyz"); status == http.StatusServiceUnavailable {
			if !strings.Contains(body, "shutting down") {
				t.Errorf("/readyz says %q", body)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("/readyz does not fail")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if status, _ := p.get(t, "/healthz"); status != 200 {
		t.Errorf("/healthz: %d while stopping", status)
	}
	if exit := p.insist(t, syscall.SIGINT); exit != exitFailure {
		t.Errorf("exit code %d after the second signal", exit)
	}
}

// TestEchoedSignal sends what a wrapper that signals the process and its group
// sends: the same wish twice. It is one wish, and the stop stays orderly.
func TestEchoedSignal(t *testing.T) {
	p := launch(t, local(t.TempDir())...)
	p.signal(t, syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // may have ended already
	if exit := p.wait(t); exit != exitOK {
		t.Errorf("exit code %d: %s", exit, p.logged())
	}
}

func TestPlainHTTPOnLoopback(t *testing.T) {
	p := launch(t, local(t.TempDir(), "--tls=off")...)
	if !strings.HasPrefix(p.url, "http://localhost:") {
		t.Errorf("URL %s", p.url)
	}
	if status, _ := p.get(t, "/readyz"); status != 200 {
		t.Errorf("/readyz: %d", status)
	}
}
