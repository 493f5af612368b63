package session

import "time"

// The waits between attempts to reconnect. The first ones are short: most losses are a
// network change or a restarted server, and a call must be back within seconds.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = time.Second
	// backoffSlow is for a server that says it is asked too often.
	backoffSlow = 5 * time.Second
)

// backoff is how long to wait before attempt n = 0, 1, …, spread by rnd in [0, 1)
// over 80 % to 120 %, so that the clients of a restarted server do not come at once.
func backoff(n int, rnd float64) time.Duration {
	d := backoffMost
	if n < 4 {
		d = min(backoffFirst<<n, backoffMost)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rnd))
}
