// Package metrics exposes the server's counters to Prometheus. Counters live
// where things happen, as plain atomics; this package reads them when asked.
//
// It must never carry a label that names or numbers a person, a device, a call
// or an address: metrics are kept for long and shown to many.
package metrics
