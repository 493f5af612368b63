package web

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

const indexFile = "index.html"

// notBuilt is the hint for a binary made with `go build` alone.
const notBuilt = "The page is not built into this server. Run: make build"

// hashed matches names that change with their content, as Vite makes them:
// assets/index-BQ4s1kZd.js.
var hashed = regexp.MustCompile(`^assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$`)

// Static serves the page from memory.
type Static struct {
	files map[string]*file // by path without leading slash
}

// file is one file of the page in the encodings that the build made.
type file struct {
	contentType string
	cache       string
	encodings   []encoding // best first; the last is the plain one
}

type encoding struct {
	name string // of the Content-Encoding, empty for none
	etag string // strong: each encoding has its own (RFC 9110 section 8.8.3)
	body []byte
}

// NewStatic reads all of dist, which holds a few megabytes at most.
func NewStatic(dist fs.FS) (*Static, error) {
	s := &Static{files: make(map[string]*file)}
	err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") || isCompressed(name) {
			return err
		}
		f, err := readFile(dist, name)
		s.files[name] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the built page: %w", err)
	}
	return s, nil
}

func isCompressed(name string) bool {
	return strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz")
}

func readFile(dist fs.FS, name string) (*file, error) {
	f := &file{contentType: contentType(name), cache: "no-cache"}
	if hashed.MatchString(name) {
		f.cache = "public, max-age=31536000, immutable"
	}
	for _, v := range []struct{ encoding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}, {"", ""}} {
		body, err := fs.ReadFile(dist, name+v.suffix)
		if err != nil {
			if v.suffix != "" {
				continue
			}
			return nil, err
		}
		sum := sha256.Sum256(body)
		f.encodings = append(f.encodings, encoding{
			name: v.encoding,
			etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
			body: body,
		})
	}
	return f, nil
}

// contentType does not ask the operating system's tables: what a server says
// of its own files must not depend on the machine. With nosniff a wrong type
// is a page that does not start.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".woff2":
		return "font/woff2"
	case ".ico":
		return "image/x-icon"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

// Built reports whether there is a page to serve.
func (s *Static) Built() bool { return s.files[indexFile] != nil }

// ServeHTTP serves a file by its path. "/" and "/c/CALL" are the page itself,
// which finds out by itself what to show.
func (s *Static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" || isCallPath(name) {
		name = indexFile
		if !s.Built() {
			http.Error(w, notBuilt, http.StatusServiceUnavailable)
			return
		}
	}
	f := s.files[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	f.serve(w, r)
}

// isCallPath accepts c/ and one non-empty segment; the page checks the rest,
// since only it can say what is wrong with a link.
func isCallPath(name string) bool {
	call, ok := strings.CutPrefix(name, "c/")
	return ok && call != "" && !strings.Contains(call, "/")
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	e := f.pick(r.Header.Get("Accept-Encoding"))
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Etag", e.etag)
	if matches(r.Header.Get("If-None-Match"), e.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if e.name != "" {
		h.Set("Content-Encoding", e.name)
	}
	h.Set("Content-Length", strconv.Itoa(len(e.body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(e.body) // the reader may be gone; there is nobody to tell
	}
}

// pick chooses the first encoding that the client accepts. A quality of zero
// refuses one (RFC 9110 section 12.5.3); other qualities are not weighed.
func (f *file) pick(accept string) *encoding {
	accepted := make(map[string]bool)
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		accepted[strings.ToLower(strings.TrimSpace(name))] = !zeroQuality(params)
	}
	for i := range f.encodings {
		e := &f.encodings[i]
		if ok, named := accepted[e.name]; e.name == "" || ok || !named && accepted["*"] {
			return e
		}
	}
	return &f.encodings[len(f.encodings)-1]
}

func zeroQuality(params string) bool {
	q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
	if !ok {
		return false
	}
	v, err := strconv.ParseFloat(q, 64)
	return err == nil && v == 0
}

// matches compares an If-None-Match list weakly (RFC 9110 section 13.1.2).
func matches(list, etag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		c := strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if c == etag || c == "*" {
			return true
		}
	}
	return false
}
