package call

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// ErrLink: not a whole invitation link. The commonest cause is a link cut short
// or changed on its way through a chat.
var ErrLink = errors.New("call: the link is damaged")

// linkPath precedes the call id.
const linkPath = "/c/"

// maxLinkLen bounds what ParseLink looks at, in bytes.
const maxLinkLen = 2048

// Link is an invitation:
//
//	https://HOST/c/<call id>#<call secret in base64url>
//
// Browsers do not send the part after # to the server.
type Link struct {
	Secure bool   // https, else http
	Host   string // as identity.CanonicalHost spells it
	Secret Secret
}

// CallID names the call.
func (l Link) CallID() identity.ID { return l.Secret.CallID() }

// Origin is the server's address without the call: scheme and host.
func (l Link) Origin() string {
	if l.Secure {
		return "https://" + l.Host
	}
	return "http://" + l.Host
}

// Reveal is the link with the secret in it, to be given to people and never logged.
func (l Link) Reveal() string {
	return l.Origin() + linkPath + l.CallID().String() + "#" + l.Secret.text()
}

// String is the link without the secret, fit for logs.
func (l Link) String() string { return l.Origin() + linkPath + l.CallID().String() + "#[call secret]" }

// ParseLink reads an invitation link; blanks around it and a query are ignored. It checks
// that the call id fits the secret, so that a damaged link is found out before
// anything is sent. Error: ErrLink, wrapped with what is wrong; the text never contains the link.
func ParseLink(s string) (Link, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxLinkLen {
		return Link{}, fmt.Errorf("%w: too long", ErrLink)
	}
	u, err := url.Parse(s)
	if err != nil { // err quotes the link, and with it the secret
		return Link{}, fmt.Errorf("%w: not a URL", ErrLink)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return Link{}, fmt.Errorf("%w: it must begin with https:// and a host", ErrLink)
	}
	l := Link{Secure: u.Scheme == "https"}
	if l.Host, err = identity.CanonicalHost(u.Host, l.Secure); err != nil {
		return Link{}, fmt.Errorf("%w: no valid host", ErrLink)
	}
	text, ok := strings.CutPrefix(u.EscapedPath(), linkPath)
	if !ok {
		return Link{}, fmt.Errorf("%w: no %s and call id after the host", ErrLink, linkPath)
	}
	id, err := identity.ParseID(text)
	if err != nil {
		return Link{}, fmt.Errorf("%w: the call id is not whole", ErrLink)
	}
	fragment := u.EscapedFragment()
	if fragment == "" {
		return Link{}, fmt.Errorf("%w: the part after # is missing", ErrLink)
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(fragment)
	if err != nil || len(secret) != SecretLen {
		return Link{}, fmt.Errorf("%w: the part after # is not whole", ErrLink)
	}
	copy(l.Secret.b[:], secret)
	if l.CallID() != id {
		return Link{}, fmt.Errorf("%w: call id and secret do not belong together", ErrLink)
	}
	return l, nil
}
