// Command sotto is Sotto for the terminal: it joins calls, sends files or a test
// pattern, records what it receives, and checks servers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sotto-sfu/sotto/internal/buildinfo"
)

// cli is the command line.
type cli struct {
	Call    callCmd    `cmd:"" help:"Join a call, send media and record what comes."`
	Doctor  doctorCmd  `cmd:"" help:"Check whether a server can be used from here."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// terminal is what a command talks to.
type terminal struct {
	out, err io.Writer
	// live tells whether err is a terminal, on which a line can be written over.
	live bool
}

func main() {
	// The first Ctrl-C leaves cleanly; the second one, with the handler gone, kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], terminal{out: os.Stdout, err: os.Stderr, live: isTerminal(os.Stderr)})
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, term terminal) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("sotto"),
		kong.Description("End-to-end encrypted calls from the terminal."),
		kong.Writers(term.out, term.err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the command line above does not make sense
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // help was asked for
		return exited
	}
	if err != nil {
		fmt.Fprintf(term.err, "sotto: %v\n", err)
		if _, ok := errors.AsType[*kong.ParseError](err); ok {
			fmt.Fprintln(term.err, `Run "sotto --help" or "sotto call --help" for what is possible.`)
		}
		return exitUsage
	}
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(term); err != nil {
		return fail(term, err)
	}
	return exitOK
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(term terminal) error {
	_, err := fmt.Fprintln(term.out, "sotto", buildinfo.Version())
	return err
}
