// Package twcc tells a publisher when each of its packets arrived (transport-wide
// congestion control, draft-holmer-rmcat-transport-wide-cc-extensions-01), so that
// the browser's own bandwidth estimator can do its work.
//
// It is Pion's recorder with our notion of time. What it must never do: start the
// interceptor that Pion wraps around the recorder, which has a goroutine and a timer a peer.
package twcc
