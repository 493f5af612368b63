package transport

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logFactory sends Pion's log to ours, one level down and nothing below debug: what
// Pion calls an error is mostly a client that went away. Pion logs addresses, so the
// detail is only written when an operator asked for debug.
type logFactory struct{ log *slog.Logger }

func (f logFactory) NewLogger(scope string) logging.LeveledLogger {
	return &leveled{f.log.With(slog.String("scope", scope))}
}

type leveled struct{ log *slog.Logger }

func (l *leveled) debug(level, msg string) {
	l.log.Debug("pion", slog.String("level", level), slog.String("detail", msg))
}

func (l *leveled) debugf(level, format string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.debug(level, fmt.Sprintf(format, args...))
	}
}

func (l *leveled) Trace(string)                 {}
func (l *leveled) Tracef(string, ...any)        {}
func (l *leveled) Debug(string)                 {}
func (l *leveled) Debugf(string, ...any)        {}
func (l *leveled) Info(msg string)              { l.debug("info", msg) }
func (l *leveled) Infof(f string, args ...any)  { l.debugf("info", f, args) }
func (l *leveled) Warn(msg string)              { l.debug("warn", msg) }
func (l *leveled) Warnf(f string, args ...any)  { l.debugf("warn", f, args) }
func (l *leveled) Error(msg string)             { l.debug("error", msg) }
func (l *leveled) Errorf(f string, args ...any) { l.debugf("error", f, args) }
