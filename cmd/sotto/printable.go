package main

import (
	"strings"
	"unicode"
)

// printable puts a text on one line and takes out of it what a terminal would obey.
// Errors quote what servers say, from the status line of HTTP to the names in a
// certificate.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, s)
}
