package call

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameLen is the most a display name may take, in bytes of UTF-8.
const MaxNameLen = 64

// CleanName makes a display name safe to show beside others: valid UTF-8 on one line,
// without control and invisible formatting characters (which could reorder or hide text
// around it), blanks folded, at most MaxNameLen bytes. It is applied to what is sent
// and again to what is received.
func CleanName(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			blank = b.Len() > 0
			continue
		case r == utf8.RuneError || unicode.Is(unicode.C, r) && !isJoiner(r):
			continue
		}
		need := utf8.RuneLen(r)
		if blank {
			need++
		}
		if b.Len()+need > MaxNameLen {
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	if out := b.String(); strings.ContainsFunc(out, func(r rune) bool { return !isJoiner(r) }) {
		return out
	}
	return ""
}

// isJoiner tells the two invisible characters that writing systems and emoji need.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }
