package portmux

// Protocol is what a connection speaks.
type Protocol int

// The protocols told apart.
const (
	Unknown Protocol = iota
	TLS              // a TLS handshake record, RFC 8446 section 5.1
	HTTP             // a plain HTTP/1 request, RFC 9112 section 3
	ICE              // STUN framed by a 16-bit length, RFC 6544 section 3 and RFC 4571
)

// String implements fmt.Stringer; metrics use it as a label.
func (p Protocol) String() string {
	switch p {
	case TLS:
		return "tls"
	case HTTP:
		return "http"
	case ICE:
		return "ice"
	default:
		return "unknown"
	}
}

// classify names the protocol by its first byte.
func classify(b byte) Protocol {
	switch {
	case b == 22: // ContentType handshake
		return TLS
	case 'A' <= b && b <= 'Z': // methods in use are all upper-case
		return HTTP
	case b <= 3: // high byte of a frame length below 1024: a STUN binding request has 100 to 200 bytes
		return ICE
	default:
		return Unknown
	}
}
