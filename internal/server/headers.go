package server

import (
	"net/http"
	"strings"
)

// The policies below are the page's own armour: should a flaw ever let
// somebody inject markup, it can run no script, load nothing and send nothing
// elsewhere. connect-src 'self' covers the WebSocket in every browser that can
// run the page (Safari since 15.4).
var securityHeaders = map[string]string{
	"Content-Security-Policy": strings.Join([]string{
		"default-src 'none'",
		"script-src 'self' 'wasm-unsafe-eval'",
		"worker-src 'self'",
		"style-src 'self'",
		"img-src 'self' data: blob:",
		"media-src 'self' blob:",
		"font-src 'self'",
		"connect-src 'self'",
		"manifest-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; "),
	// The link's fragment is never in a Referer, but the call id would be.
	"Referrer-Policy": "no-referrer",
	"Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), " +
		"fullscreen=(self), picture-in-picture=(self), autoplay=(self), screen-wake-lock=(self), clipboard-write=(self), " +
		"geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(), accelerometer=(), gyroscope=(), magnetometer=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	// A call's address must not turn up in a search engine.
	"X-Robots-Tag": "noindex, nofollow",
}

// strictTransport lasts two years, without subdomains: those are not ours.
const strictTransport = "max-age=63072000"

// withSecurityHeaders sets the policies on every response. hsts is set when
// the certificate is one that browsers trust; with another it would lock
// people out.
func withSecurityHeaders(next http.Handler, hsts bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range securityHeaders {
			h.Set(name, value)
		}
		if hsts && r.TLS != nil {
			h.Set("Strict-Transport-Security", strictTransport)
		}
		next.ServeHTTP(w, r)
	})
}
