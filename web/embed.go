// Package web carries the built page inside the binary and serves it.
//
// The page is what people must trust most: it runs where the keys are. It is
// served as built, from memory, without templates and without a way to change
// it at run time; and nothing in it may load anything from elsewhere.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var embedded embed.FS

// Dist is the built page, as Vite left it in web/dist, with index.html at its
// root. In a build without the page it holds no index.html.
var Dist fs.FS = mustSub(embedded, "dist")

func mustSub(parent fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(parent, dir)
	if err != nil {
		panic("web: " + err.Error())
	}
	return sub
}
