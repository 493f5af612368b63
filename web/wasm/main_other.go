//go:build !(js && wasm)

package main

import "os"

// main tells who builds this for another platform what it is for. It keeps
// "go build ./..." whole.
func main() {
	_, _ = os.Stderr.WriteString("the core runs in a browser: build it with GOOS=js GOARCH=wasm\n")
	os.Exit(2)
}
