package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/sotto-sfu/sotto/client"
)

// progressEvery is how often the progress line changes: often enough to be seen
// moving, seldom enough for a slow terminal.
const progressEvery = 500 * time.Millisecond

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// showProgress keeps one line up to date until ctx ends, and wipes it.
func showProgress(ctx context.Context, out io.Writer, call *client.Call) {
	begin := time.Now()
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	defer fmt.Fprint(out, "\r\x1b[K")
	for {
		select {
		case <-ctx.Done():
			return
		case <-call.Done():
			return
		case <-ticker.C:
			fmt.Fprintf(out, "\r\x1b[K%s", progressLine(call, time.Since(begin)))
		}
	}
}

// progressLine fits a terminal of 80 columns. It shows no names: what others call
// themselves does not belong where cursor movements are interpreted.
func progressLine(call *client.Call, elapsed time.Duration) string {
	var frames, bytes, lost, bad, sent uint64
	for _, r := range call.Received() {
		frames += r.Frames
		bytes += r.Bytes
		lost += r.LostPackets
		bad += r.DecryptFailures
	}
	for _, s := range call.Sent() {
		sent += s.Frames
	}
	line := fmt.Sprintf("%02d:%02d %s, others %d, in %d frames %s, out %d, lost %d",
		int(elapsed.Minutes()), int(elapsed.Seconds())%60, call.State(), len(call.Members()), frames, size(bytes), sent, lost)
	if bad > 0 {
		line += fmt.Sprintf(", %d NOT DECRYPTED", bad)
	}
	return line[:min(len(line), 79)]
}
