package metrics

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestExposition(t *testing.T) {
	r := New("v1.2.3")
	calls := 1.0
	if err := r.Add(func() []Sample {
		return []Sample{
			{Name: "calls", Help: "Calls.", Value: calls},
			{Name: "drops_total", Help: "Drops.", Counter: true, Label: "reason", Of: "repeat", Value: 2},
			{Name: "drops_total", Help: "Drops.", Counter: true, Label: "reason", Of: "padding", Value: 3},
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`sotto_build_info{version="v1.2.3"} 1`,
		"# TYPE sotto_calls gauge\nsotto_calls 1\n",
		"# HELP sotto_drops_total Drops.\n# TYPE sotto_drops_total counter\n",
		`sotto_drops_total{reason="padding"} 3`,
		`sotto_drops_total{reason="repeat"} 2`,
		"go_goroutines", "process_open_fds",
	} {
		if text := scrape(t, r); !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	calls = 5
	if text := scrape(t, r); !strings.Contains(text, "sotto_calls 5\n") {
		t.Error("a scrape must read the numbers of now")
	}
}

func TestNamesAreGivenOnce(t *testing.T) {
	r := New("x")
	one := func() []Sample { return []Sample{{Name: "calls", Help: "Calls."}} }
	if err := r.Add(one); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(one); err == nil {
		t.Error("two sources share a name")
	}
}
