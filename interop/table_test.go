//go:build interop

package interop

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// TestMain prints what was compared, so that a run which compared nothing does
// not look like a success.
func TestMain(m *testing.M) {
	began := time.Now()
	code := m.Run()
	if err := peers.stop(); err != nil && code == 0 {
		fmt.Println("a peer did not end well:", err)
		code = 1
	}
	done.print(time.Since(began))
	os.Exit(code)
}

var suites = []mls.CipherSuite{mls.X25519AES128, mls.X25519ChaCha, mls.Hybrid}

func suiteName(cs mls.CipherSuite) string {
	if cs == mls.Hybrid {
		return "0xF002"
	}
	return fmt.Sprint(uint16(cs))
}

// tally counts what the runs of one scenario did.
type tally struct{ runs, epochs, comparisons, refusals int }

// ledger counts by suite and scenario.
type ledger struct {
	mu    sync.Mutex
	rows  map[string]map[mls.CipherSuite]*tally
	order []string
}

var done ledger

func (l *ledger) count(scenario string, cs mls.CipherSuite, more tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows == nil {
		l.rows = make(map[string]map[mls.CipherSuite]*tally)
	}
	row := l.rows[scenario]
	if row == nil {
		row = make(map[mls.CipherSuite]*tally)
		l.rows[scenario] = row
		l.order = append(l.order, scenario)
	}
	if row[cs] == nil {
		row[cs] = &tally{}
	}
	have := row[cs]
	have.runs += more.runs
	have.epochs += more.epochs
	have.comparisons += more.comparisons
	have.refusals += more.refusals
}

func (l *ledger) print(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Println("\nruns / epochs / views compared / refusals")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "scenario")
	for _, cs := range suites {
		fmt.Fprintf(w, "\tsuite %s", suiteName(cs))
	}
	fmt.Fprintln(w)
	var total tally
	slices.Sort(l.order)
	for _, scenario := range l.order {
		fmt.Fprint(w, scenario)
		for _, cs := range suites {
			var c tally
			if have := l.rows[scenario][cs]; have != nil {
				c = *have
			}
			fmt.Fprintf(w, "\t%d / %d / %d / %d", c.runs, c.epochs, c.comparisons, c.refusals)
			total.runs += c.runs
			total.epochs += c.epochs
			total.comparisons += c.comparisons
			total.refusals += c.refusals
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	fmt.Printf("\n%d runs, %d epochs with %d views compared (exporter, epoch authenticator, tree hash,\n"+
		"confirmed transcript hash, extensions, members), %d refusals without a change of state, %v\n",
		total.runs, total.epochs, total.comparisons, total.refusals, took.Round(100*time.Millisecond))
}
