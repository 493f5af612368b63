package metrics

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Namespace starts the name of each metric.
const Namespace = "sotto"

// Registry holds what is exposed.
type Registry struct{ reg *prometheus.Registry }

// New makes a registry with the process's and the Go runtime's own numbers and
// the build's version.
func New(version string) *Registry {
	r := &Registry{reg: prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: Namespace, Name: "build_info",
		Help:        "Always 1; the label names the running version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.reg.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Sample is one number at the moment of a scrape.
type Sample struct {
	Name    string // without the namespace; counters end in _total
	Help    string
	Counter bool   // it only ever rises; else a gauge
	Label   string // the name of the one label, if there is one
	Value   float64
	Of      string // the label's value
}

// Source returns the samples of one part of the server. It is called for each
// scrape, must return the same names each time, and must not block.
type Source func() []Sample

// Add registers a source.
func (r *Registry) Add(s Source) error { return r.reg.Register(source(s)) }

// Handler serves the text format.
func (r *Registry) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{
		ErrorLog:            errorLog{log},
		MaxRequestsInFlight: 4,
	})
}

type errorLog struct{ log *slog.Logger }

func (e errorLog) Println(v ...any) { e.log.Warn("metrics scrape failed", "error", v) }

// Describe implements prometheus.Collector.
func (s source) Describe(out chan<- *prometheus.Desc) {
	seen := make(map[string]bool)
	for _, m := range s() {
		if !seen[m.Name] {
			seen[m.Name] = true
			out <- m.desc()
		}
	}
}

// Collect implements prometheus.Collector.
func (s source) Collect(out chan<- prometheus.Metric) {
	for _, m := range s() {
		kind := prometheus.GaugeValue
		if m.Counter {
			kind = prometheus.CounterValue
		}
		var labels []string
		if m.Label != "" {
			labels = []string{m.Of}
		}
		out <- prometheus.MustNewConstMetric(m.desc(), kind, m.Value, labels...)
	}
}

type source Source

func (m Sample) desc() *prometheus.Desc {
	var labels []string
	if m.Label != "" {
		labels = []string{m.Label}
	}
	return prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", m.Name), m.Help, labels, nil)
}
