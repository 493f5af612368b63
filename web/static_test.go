package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func fakeDist() fstest.MapFS {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		".gitkeep":                     text(""),
		"index.html":                   text("<html>"),
		"index.html.br":                text("html-br"),
		"index.html.gz":                text("html-gz"),
		"favicon.svg":                  text("<svg>"),
		"assets/index-BQ4s1kZd.js":     text("js"),
		"assets/index-BQ4s1kZd.js.gz":  text("js-gz"),
		"assets/core-D3adB33f.wasm":    text("wasm"),
		"assets/core-D3adB33f.wasm.br": text("wasm-br"),
		"assets/plain.js":              text("unhashed"),
	}
}

func newStatic(t *testing.T, dist fstest.MapFS) *Static {
	t.Helper()
	s, err := NewStatic(dist)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(s *Static, method, path string, header map[string]string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func TestStatic(t *testing.T) {
	s := newStatic(t, fakeDist())
	const immutable = "public, max-age=31536000, immutable"
	for _, tc := range []struct {
		path, accept string
		status       int
		body, typ    string
		encoding     string
		cache        string
	}{
		{"/", "", 200, "<html>", "text/html; charset=utf-8", "", "no-cache"},
		{"/", "gzip, deflate, br", 200, "html-br", "text/html; charset=utf-8", "br", "no-cache"},
		{"/", "gzip", 200, "html-gz", "text/html; charset=utf-8", "gzip", "no-cache"},
		{"/", "br;q=0, gzip;q=0.5", 200, "html-gz", "text/html; charset=utf-8", "gzip", "no-cache"},
		{"/", "*", 200, "html-br", "text/html; charset=utf-8", "br", "no-cache"},
		{"/", "*, br;q=0.0", 200, "html-gz", "text/html; charset=utf-8", "gzip", "no-cache"},
		{"/", "identity", 200, "<html>", "text/html; charset=utf-8", "", "no-cache"},
		{"/c/AAAAAAAAAAAAAAAAAAAAAA", "", 200, "<html>", "text/html; charset=utf-8", "", "no-cache"},
		{"/assets/index-BQ4s1kZd.js", "br, gzip", 200, "js-gz", "text/javascript; charset=utf-8", "gzip", immutable},
		{"/assets/core-D3adB33f.wasm", "br", 200, "wasm-br", "application/wasm", "br", immutable},
		{"/assets/core-D3adB33f.wasm", "", 200, "wasm", "application/wasm", "", immutable},
		{"/assets/plain.js", "br", 200, "unhashed", "text/javascript; charset=utf-8", "", "no-cache"},
		{"/favicon.svg", "", 200, "<svg>", "image/svg+xml", "", "no-cache"},
		{"/c/", "", 404, "", "", "", ""},
		{"/c/a/b", "", 404, "", "", "", ""},
		{"/index.html.br", "", 404, "", "", "", ""},
		{"/.gitkeep", "", 404, "", "", "", ""},
		{"/assets", "", 404, "", "", "", ""},
		{"/assets/../index-.js", "", 404, "", "", "", ""},
		{"/nothing", "", 404, "", "", "", ""},
	} {
		resp := get(s, http.MethodGet, tc.path, map[string]string{"Accept-Encoding": tc.accept})
		if resp.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d", tc.path, resp.StatusCode, tc.status)
		}
		if tc.status != 200 {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		h := resp.Header
		if string(body) != tc.body || h.Get("Content-Type") != tc.typ || h.Get("Content-Encoding") != tc.encoding ||
			h.Get("Cache-Control") != tc.cache || h.Get("Vary") != "Accept-Encoding" || h.Get("Etag") == "" {
			t.Errorf("%s with %q: %q, %v", tc.path, tc.accept, body, h)
		}
	}
}

func TestStaticRevalidation(t *testing.T) {
	s := newStatic(t, fakeDist())
	plain := get(s, http.MethodGet, "/", nil).Header.Get("Etag")
	brotli := get(s, http.MethodGet, "/", map[string]string{"Accept-Encoding": "br"}).Header.Get("Etag")
	if plain == brotli {
		t.Error("two encodings share a strong ETag")
	}
	for _, tc := range []struct {
		match  string
		status int
	}{
		{plain, 304}, {"W/" + plain, 304}, {`"x", ` + plain, 304}, {"*", 304}, {brotli, 200}, {`"x"`, 200}, {"", 200},
	} {
		resp := get(s, http.MethodGet, "/", map[string]string{"If-None-Match": tc.match})
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != tc.status || tc.status == 304 && (len(body) > 0 || resp.Header.Get("Etag") == "") {
			t.Errorf("%s: %d %q, want %d", tc.match, resp.StatusCode, body, tc.status)
		}
	}
}

func TestStaticMethods(t *testing.T) {
	s := newStatic(t, fakeDist())
	head := get(s, http.MethodHead, "/", nil)
	if body, _ := io.ReadAll(head.Body); head.StatusCode != 200 || len(body) != 0 || head.Header.Get("Content-Length") != "6" {
		t.Errorf("HEAD: %d, %q, %v", head.StatusCode, body, head.Header)
	}
	if post := get(s, http.MethodPost, "/", nil); post.StatusCode != 405 || post.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", post.StatusCode)
	}
}

func TestNotBuilt(t *testing.T) {
	s := newStatic(t, fstest.MapFS{".gitkeep": {}})
	if s.Built() {
		t.Error("an empty folder is no page")
	}
	resp := get(s, http.MethodGet, "/", nil)
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || string(body) != notBuilt+"\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// TestEmbedded holds whatever is built in to the rules of the page: nothing
// inline, which the Content-Security-Policy would block, and nothing from
// elsewhere.
func TestEmbedded(t *testing.T) {
	s, err := NewStatic(Dist)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Built() {
		t.Skip("the page is not built: run make web")
	}
	for name, f := range s.files {
		if f.contentType == "application/octet-stream" {
			t.Errorf("%s: unknown type, which nosniff makes unusable", name)
		}
		if f.contentType == contentType(indexFile) {
			for _, problem := range pageProblems(string(f.encodings[len(f.encodings)-1].body)) {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
}

var (
	tag       = regexp.MustCompile(`(?s)<([a-z]+)((?:"[^"]*"|'[^']*'|[^>"'])*)>`)
	handler   = regexp.MustCompile(`\s(on[a-z]+|style)\s*=`)
	elsewhere = regexp.MustCompile(`(src|href)\s*=\s*["']?\s*([a-z]+:)?//`)
)

// pageProblems lists what a strict page must not hold.
func pageProblems(html string) []string {
	var out []string
	for _, m := range tag.FindAllStringSubmatch(html, -1) {
		switch {
		case m[1] == "script" && !strings.Contains(m[2], "src="), m[1] == "style":
			out = append(out, "inline "+m[1])
		case handler.MatchString(m[2]):
			out = append(out, "inline attribute in "+m[0])
		case elsewhere.MatchString(m[2]):
			out = append(out, "something from elsewhere: "+m[0])
		}
	}
	return out
}

func TestPageProblems(t *testing.T) {
	for _, tc := range []struct {
		html string
		want int
	}{
		{`<!doctype html><html lang="en"><script type="module" src="/assets/a.js"></script><link rel="stylesheet" href="/a.css">`, 0},
		{`<script>alert(1)</script>`, 1},
		{`<style>a{}</style>`, 1},
		{`<body onload="x">`, 1},
		{`<p style="color:red">`, 1},
		{`<script src="https://cdn.example/a.js">`, 1},
		{`<link href='//cdn.example/a.css'>`, 1},
	} {
		if got := pageProblems(tc.html); len(got) != tc.want {
			t.Errorf("%s: %v, want %d", tc.html, got, tc.want)
		}
	}
}
